# SPDX-License-Identifier: Apache-2.0
"""What the guides must have, and the pages for those who move in: their tables have every option of the programs
that are left. What can be pasted from them is tried by test_pasted.py."""

import re

import pytest

from harness import blocks
from harness.nginx import ROOT

import peers


def block(page, number, language="nginx"):
    return [found for found in blocks.of(page) if found.language == language][number].code


def test_the_fifteen_lines_are_fifteen():
    assert len(block("README.md", 0).splitlines()) == 15


@pytest.mark.parametrize("page", ["espocrm", "espocrm-extension"])
def test_a_vhost_by_hand_has_what_the_extension_needs(page):
    """Without the first of these it refuses everybody, without the others people land elsewhere."""
    code = re.sub(r" +", " ", block(f"docs/guides/{page}.md", 0))
    for directive in ("auth_oidc_header X-Oidc-Session $oidc_session_id;", "redirect_uri /oauth-callback.php;",
                      "callback forward;", "auth_oidc_assertion on;", "preserve_fragment on;",
                      "logout_uri /oidc/logout;"):
        assert directive in code, f"{page}.md lacks {directive}"


# ---- those who move in

def named(page):
    """What stands in backticks in the first column of the tables."""
    text = (ROOT / "docs" / "migration" / f"{page}.md").read_text(encoding="utf-8")
    rows = [re.split(r"(?<!\\)\|", line.strip()[1:-1]) for line in text.splitlines() if line.startswith("|")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}, \
        [(row[0], re.findall(r"`([^`]+)`", row[1]), row[1].strip()) for row in rows]


@pytest.mark.parametrize("page, options", [
    pytest.param(name, options, id=name) for name, options in peers.RECORDED.items()])
def test_every_option_has_a_row(page, options):
    missing = sorted(set(options) - named(page)[0])
    assert len(options) > 15 and not missing, f"docs/migration/{page}.md lacks {missing}"


@pytest.mark.parametrize("page", [*peers.READ, *peers.NOT_READ])
def test_every_option_that_the_peer_itself_has(page, tmp_path):
    if page in peers.NOT_READ:
        pytest.skip(f"{page}: {peers.NOT_READ[page]}")
    try:
        options = peers.READ[page](tmp_path)
    except peers.Unavailable as e:
        pytest.skip(f"{page}: {e}")
    missing = sorted(set(options) - named(page)[0])
    assert len(options) > peers.LEAST[page] and not missing, f"docs/migration/{page}.md lacks {missing}"
    # The list that stands for it where it cannot be read. Debian's package is that of the release of Debian.
    new = sorted(set(options) - set(peers.RECORDED[page]))
    assert not new or page == "mod-auth-openidc", f"RECORDED of peers.py lacks {new} of {page}"


@pytest.mark.parametrize("page, source, options", [
    ("nginx-oidc", """
static ngx_command_t ngx_http_oidc_commands[] = {
    { ngx_string("auth_oidc"),
      NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, set, 0, 0, NULL },
    ngx_null_command };
static ngx_http_variable_t vars[] = { { ngx_string("oidc_id_token"), NULL, get, 0, 0, 0 } };
    if (ngx_strcmp(value[0].data, "hostname") == 0) { }
    if (ngx_strcmp(value[1].data, "redis") == 0) { }
""", {"auth_oidc", "hostname"}),
    ("nginx-plus", '<directive name="auth_oidc">\n<link id="issuer"/>\n</directive>', {"auth_oidc"}),
    ("lua-resty-openidc", "if opts.use_nonce and session.opts_given then opts.scope = x end", {"use_nonce", "scope"})])
def test_how_a_source_is_read(page, source, options):
    assert {"nginx-oidc": peers.options_of_nginx_oidc, "nginx-plus": peers.options_of_nginx_plus,
            "lua-resty-openidc": peers.options_of_lua_resty_openidc}[page](source) == options


def test_a_source_that_is_not_there_is_said():
    with pytest.raises(peers.Unavailable, match="recorded list"):
        peers.unpacked("nothing", "*.c")


def test_every_list_is_read_or_said_to_be_none():
    # Whoever comes from a proxy manager takes no options along.
    pages = {path.stem for path in (ROOT / "docs" / "migration").glob("*-*.md")} - {"proxy-managers"}
    assert set(peers.READ) | set(peers.NOT_READ) == pages and not set(peers.READ) & set(peers.NOT_READ)
    # What is read may be out of reach: then the list of one version stands for it.
    assert set(peers.RECORDED) == pages
    assert all(len(peers.RECORDED[page]) > least for page, least in peers.LEAST.items())


def test_a_missing_row_is_noticed():
    assert "cookie-secret" in named("oauth2-proxy")[0] and "cookie-secrets" not in named("oauth2-proxy")[0]


def test_what_takes_their_place_exists():
    """The second column of the tables has directives of ours, of nginx, or a dash."""
    stores = set(re.findall(r"`(\w+) [^`]*;`", (ROOT / "docs" / "directives.md").read_text()))
    nginx = {"proxy_pass", "proxy_set_header", "satisfy", "listen", "error_page", "error_log", "limit_except", "deny",
             "map", "nginx"}
    for path in set((ROOT / "docs" / "migration").glob("*-*.md")) - {ROOT / "docs/migration/proxy-managers.md"}:
        for first, names, cell in named(path.stem)[1]:
            if cell in ("here", "the same", "---"):
                continue
            unknown = [name for name in names if name.split(" ")[0] not in directives() | stores | nginx]
            assert not unknown, f"{path.name}: {first}: {unknown}"
            assert names or cell == "—", f"{path.name}: {first} has nothing beside it"


def directives():
    return set(re.findall(r"^### (\w+)$", (ROOT / "docs" / "directives.md").read_text(encoding="utf-8"), re.M))


def rows():
    """(page, options, what takes their place, remark) of every row of every page of options."""
    for path in sorted((ROOT / "docs" / "migration").glob("*-*.md")):
        for line in path.read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
            if path.stem != "proxy-managers" and line.startswith("| ") and len(cells) == 3:
                yield path.stem, re.findall(r"`([^`]+)`", cells[0]), cells[1], cells[2]


# Parts of the names of options, and what this module has for them: such an option has more than a dash.
FEATURES = {
    r"bearer|introspect|oauth(?!entik)|jwt|federation|HeaderAuthorization": "auth_oidc_bearer", r"nonce": "nonce",
    r"audience": "trusted_audience", r"discover|display-name": "oidc_provider_group", r"pushed|\bpar\b": "par",
    r"issuer|tenant": "issuer_template", r"dpop": "dpop_key", r"request.?object": "request_object",
    r"encrypt": "id_token_encryption_key", r"response.?mode": "response_mode", r"acr": "acr_values",
    r"refresh|expiry|leeway": "session_refresh", r"revo[ck]": "revoke_on_logout",
    r"inactiv|idle": "session_idle_timeout",
    r"samesite": "cookie_samesite", r"domain": "login_hosts", r"logout|logged.?out": "logout_uri",
    r"metrics|status": "oidc_status", r"proxy": "http_proxy", r"cert": "client_certificate",
    r"assertion|token-auth": "client_assertion_file", r"user.?info|profile": "userinfo",
    r"group|role|claim": "auth_oidc_require_claim", r"restart|state.?file|cache.?dir": "oidc_session_store",
    r"bind|bound": "auth_oidc_bearer", r"resource": "resource",
    r"pkce|challenge": "pkce", r"jwks": "jwks_uri", r"frontchannel|iframe": "frontchannel_logout_uri",
    r"backchannel": "backchannel_logout_uri", r"timeout": "read_timeout",
    r"html|template|banner|footer": "oidc_page_language",
}
# Those that have a dash all the same, each for the reason in its row.
DASHES = set("""
    HeaderAuthRequestProxyAuthorization HeaderProxyAuthorization
    introspection_expiry_claim introspection_token_param_name jwt_verification_cache_ignore
    OIDCCacheEncrypt OIDCClientTokenEndpointKeyPassword OIDCOAuthAccessTokenBindingPolicy OIDCOAuthDecryptSharedKeys
    OIDCOAuthIntrospectionClientAuthBearerToken OIDCOAuthIntrospectionEndpointKeyPassword
    OIDCOAuthIntrospectionEndpointMethod OIDCOAuthIntrospectionTokenParamName OIDCOAuthTokenExpiryClaim
    OIDCOAuthVerifySharedKeys OIDCPassRefreshToken OIDCPreservePostTemplates OIDCProfile
    OIDCProviderCheckSessionIFrame OIDCProviderSignedJwksUri OIDCTokenBindingPolicy X-authentik-meta-jwks
    auth_jwt_header_set azure-graph-group-field bearer-token-login-fallback cookie-csrf-samesite google-group
    redis-connection-idle-timeout""".split())


def features_of(option):
    return {directive for pattern, directive in FEATURES.items() if re.search(pattern, option, re.I)}


def test_what_this_module_can_do_is_not_said_to_be_missing():
    dashes = {option: page for page, options, place, _ in rows() if place == "—" for option in options}
    assert set(FEATURES.values()) <= directives()
    wrong = {f"{page}: {option}": features_of(option) for option, page in dashes.items()
             if option not in DASHES and features_of(option) or option in directives()}
    assert not wrong, wrong
    assert DASHES <= set(dashes), "these have more than a dash: " + ", ".join(sorted(DASHES - set(dashes)))


def test_a_dash_says_why():
    wrong = [f"{page}: {options}" for page, options, place, remark in rows()
             if place == "—" and (not remark or re.search(r"another (task|module)", remark))]
    assert not wrong, wrong


# What none of those programs has an option for. A directive that is neither here nor in a table is a new one: look at
# every row with a dash, whether it takes the place of that, and write the directive there or here.
OURS_ALONE = set("""
    auth_oidc_csrf auth_oidc_headers auth_oidc_pass_header callback claim_source clear_cookies
    client_assertion_audience http_proxy_password_file insecure_http introspection_signed jwks_refetch_interval
    oidc_page_language oidc_resource_metadata oidc_sessions post_logout_param preserve_fragment
    session_idle_ignore session_limit shared_signals_audience shared_signals_issuer shared_signals_token_file
    shared_signals_uri""".split())


def test_a_new_directive_is_looked_for_in_the_tables():
    told = {name for _, options, place, remark in rows()
            for name in (*options, *re.findall(r"[`\[](\w+)", f"{place} {remark}"))}
    untold = directives() - told
    assert untold == OURS_ALONE, f"new: {untold - OURS_ALONE}, told or gone: {OURS_ALONE - untold}"


@pytest.mark.parametrize("page", sorted(peers.RECORDED) + ["proxy-managers"])
def test_a_page_says_what_users_notice_and_how_to_go_back(page):
    text = (ROOT / "docs" / "migration" / f"{page}.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (.+)\n\n((?:(?!^#)[\s\S])+)", text, re.M))
    for word in ("header", "session", r"logout|sign(ing|ed|s)?[- ]out|sign_out"):
        assert re.search(word, parts["What users notice"], re.I), f"{page}.md says nothing of {word}"
    assert parts["The way back"].strip()


# ---- shell

def test_guides_ask_for_root_in_one_way():
    """They are for root, on machines that may have neither sudo nor systemd."""
    for page in (ROOT / "docs" / "guides").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"\bsudo\b|\bsystemctl\b", text), page.name


def test_the_vhost_is_complete_before_it_is_tried():
    """Literally from top to bottom, `nginx -t` must find the module loaded and the former vhost gone."""
    code = block("docs/guides/vhost.md", 0, "sh")
    steps = ["site-fpm.conf.example", "espocrm-assertion", "espocrm-client", "load_module", "former vhost",
             "nginx -t", "check-vhost"]
    places = [code.find(step) for step in steps]
    assert -1 not in places and places == sorted(places), dict(zip(steps, places))
