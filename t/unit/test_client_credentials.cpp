// SPDX-License-Identifier: Apache-2.0
#include "oidc/client_credentials.hpp"

#include <array>

#include "flow_fixture.hpp"
#include "oidc/encode.hpp"
#include "oidc/request_object.hpp"
#include "oidc/signer.hpp"
#include "oidc/token.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kOld = "the-client-secret";
constexpr std::string_view kNew = "another-client-secret";

std::shared_ptr<const JwsSigner> signer(Alg alg) {
    auto made = JwsSigner::from_pem(ForgeKey::for_alg(alg).private_pem(), std::nullopt);
    ck_assert_result_ok(made);
    return std::make_shared<const JwsSigner>(*std::move(made));
}

std::string segment(std::string_view text) {
    return base64url_encode(as_bytes(text));
}

std::string jwt(std::string_view payload, std::string_view header = R"({"alg":"RS256"})") {
    return segment(header) + "." + segment(payload) + "." + segment("signature");
}

FileAssertion assertion(std::string_view payload) {
    auto read = read_file_assertion(jwt(payload));
    ck_assert_result_ok(read);
    return *std::move(read);
}

HttpOutcome answer(int status, std::string_view body) {
    HttpResponse response = json_response(body);
    response.status = status;
    return response;
}
HttpOutcome refused() {
    return answer(401, R"({"error":"invalid_client"})");
}
HttpOutcome taken() {
    return answer(200, "{}");
}

// A provider whose secret is renewed, and what a request of the client ends with.
struct Renewing : World {
    Renewing() {
        fake.clock.set(kNow);
        config.renewed = std::make_shared<RenewedCredentials>();
        config.renewed->renews_secret = true;
        config.renewed->renews_key = true;
    }
    [[nodiscard]] Seconds now() const { return fake.clock.now(); }
    bool renew(std::string_view secret) { return renew_secret(config, Secret(secret), now()); }
    // The secrets that one request is tried with at a provider that knows `known`, in their order.
    std::vector<std::string> tried(std::string_view known) {
        std::vector<std::string> out;
        ClientTry client;
        client.begin(config, ClientAuth::basic, now());
        for (;;) {
            const bool former = client.credential() == Credential::former;
            out.emplace_back(
                (former ? config.renewed->former_secret : config.client_secret).view());
            ck_assert_uint_le(out.size(), 2);
            if (!client.again(config, ClientAuth::basic, out.back() == known ? taken() : refused(),
                              fake.ports())) {
                return out;
            }
        }
    }
};

using Tried = std::vector<std::string>;

}  // namespace

START_TEST(nothing_is_renewed) {
    World w;
    ClientTry client;
    ck_assert(client.begin(w.config, ClientAuth::basic, kNow) == Credential::current);
    ck_assert(!client.again(w.config, ClientAuth::basic, refused(), w.fake.ports()));
    ck_assert_ptr_null(former_secret(w.config));
    // Of another kind than what was renewed.
    Renewing r;
    ck_assert(r.renew(kNew));
    for (const ClientAuth auth : {ClientAuth::private_key_jwt, ClientAuth::file_assertion,
                                  ClientAuth::tls, ClientAuth::none}) {
        ck_assert(client.begin(r.config, auth, kNow) == Credential::current);
        ck_assert(!client.again(r.config, auth, refused(), r.fake.ports()));
    }
}
END_TEST

START_TEST(the_file_changes_first) {
    Renewing w;
    ck_assert(!w.renew(kOld));  // the same
    ck_assert_ptr_null(former_secret(w.config));
    ck_assert(w.tried(kOld) == Tried{std::string(kOld)});
    ck_assert(w.renew(kNew));
    ck_assert_sv_eq(former_secret(w.config)->view(), kOld);
    ck_assert(w.tried(kOld) == (Tried{std::string(kNew), std::string(kOld)}));
    ck_assert_sv_contains(w.fake.log.joined(), "accepts the one before");
    ck_assert_sv_lacks(w.fake.log.joined(), kOld);
    ck_assert_sv_lacks(w.fake.log.joined(), kNew);
    // Not every request costs a refusal.
    w.fake.clock.advance(kFormerFirst - 1);
    ck_assert(w.tried(kOld) == Tried{std::string(kOld)});
    // The provider follows meanwhile.
    ck_assert(w.tried(kNew) == (Tried{std::string(kOld), std::string(kNew)}));
    ck_assert(w.tried(kNew) == Tried{std::string(kNew)});
    w.fake.clock.set(kNow + kFormerFirst + kFormerLife);
    ck_assert(w.tried(kNew) == Tried{std::string(kNew)});
}
END_TEST

START_TEST(the_provider_never_changes) {
    Renewing w;
    ck_assert(w.renew(kNew));
    w.fake.clock.advance(kFormerLife - 1);
    ck_assert(w.tried(kOld) == (Tried{std::string(kNew), std::string(kOld)}));
    w.fake.clock.advance(1);
    ck_assert(w.tried(kOld) == Tried{std::string(kNew)});
    drop_ended(w.config, w.now());
    ck_assert_ptr_null(former_secret(w.config));
}
END_TEST

START_TEST(neither_is_right) {
    Renewing w;
    ck_assert(w.renew(kNew));
    for (int i = 0; i < 3; ++i) {
        ck_assert(w.tried("a third") == (Tried{std::string(kNew), std::string(kOld)}));
    }
    ClientTry client;
    client.begin(w.config, ClientAuth::basic, w.now());
    const Error error = fail(Reason::token_client_auth, "refused");
    ck_assert_sv_eq(client.told(error).detail, "refused");
    ck_assert(client.again(w.config, ClientAuth::basic, refused(), w.fake.ports()));
    ck_assert_sv_contains(client.told(error).detail, "and with the one before");
    ck_assert_sv_eq(client.told(fail(Reason::code_refused, "used")).detail, "used");
}
END_TEST

// What was written in vain must not push out what is known to be good.
START_TEST(several_changes) {
    Renewing w;
    ck_assert(w.tried(kOld).size() == 1);
    ck_assert(w.renew("half of a sec"));
    ck_assert(w.renew(kNew));
    ck_assert_sv_eq(former_secret(w.config)->view(), kOld);
    ck_assert(w.tried(kNew) == Tried{std::string(kNew)});
    ck_assert(w.renew("third"));
    ck_assert_sv_eq(former_secret(w.config)->view(), kNew);
    // And back.
    ck_assert(w.renew(kNew));
    ck_assert_sv_eq(w.config.client_secret.view(), kNew);
    ck_assert_sv_eq(former_secret(w.config)->view(), "third");
    ck_assert(w.tried(kNew) == Tried{std::string(kNew)});
}
END_TEST

START_TEST(a_change_under_way) {
    Renewing w;
    ClientTry client;
    client.begin(w.config, ClientAuth::basic, kNow);  // made with the old one
    ck_assert(w.renew(kNew));
    ck_assert(client.again(w.config, ClientAuth::basic, refused(), w.fake.ports()));
    ck_assert(client.credential() == Credential::current);
    ck_assert(!client.again(w.config, ClientAuth::basic, refused(), w.fake.ports()));
    // An acceptance of the old one says nothing of the new one.
    ClientTry other;
    other.begin(w.config, ClientAuth::basic, kNow);
    ck_assert(w.renew("third"));
    ck_assert(!other.again(w.config, ClientAuth::basic, taken(), w.fake.ports()));
    ck_assert(w.config.renewed->secret_times.keeps_former(kNow));
}
END_TEST

START_TEST(what_refuses_a_credential) {
    const struct {
        int status;
        std::string_view body;
        bool refuses;
    } rows[] = {
        {401, R"({"error":"invalid_client"})", true},
        {400, R"({"error":"invalid_client"})", true},
        {200, R"({"error":"invalid_client"})", false},
        {401, R"({"error":"unauthorized_client"})", true},  // Keycloak
        {401, "<html>", true},
        {400, R"({"error":"unauthorized_client"})", false},
        {401, R"({"error":"invalid_grant"})", false},
        {400, R"({"error":"invalid_grant"})", false},
        {401, R"({"error":"use_dpop_nonce"})", false},
        {403, "", false},
        {429, R"({"error":"invalid_client"})", false},
        {500, R"({"error":"invalid_client"})", false},
    };
    for (const auto& row : rows) {
        const HttpOutcome outcome = answer(row.status, row.body);
        ck_assert_msg(refuses_credential(*outcome) == row.refuses, "%d %s", row.status,
                      std::string(row.body).c_str());
    }
    Renewing w;
    ck_assert(w.renew(kNew));
    ClientTry client;
    client.begin(w.config, ClientAuth::basic, kNow);
    ck_assert(
        !client.again(w.config, ClientAuth::basic, fail(Reason::idp_timeout, "t"), w.fake.ports()));
    ck_assert(!client.again(w.config, ClientAuth::basic,
                            answer(400, R"({"error":"invalid_grant"})"), w.fake.ports()));
}
END_TEST

START_TEST(a_sign_in_during_the_change) {
    Renewing w;
    ck_assert(w.renew(kNew));
    Callback c(w);
    const HttpRequest first = c.to_token();
    Step step = c.flow.resume(*refused());
    const HttpRequest& second = expect<Fetch>(step).request;
    ck_assert_sv_eq(first.body.view(), second.body.view());  // the same code
    const std::string former(second.authorization.view());
    ck_assert(first.authorization.view() != former);
    step = c.flow.resume(w.token_response(w.id_token()));
    expect<StoreSession>(step);
    // From then on in this order.
    Callback other(w);
    ck_assert_sv_eq(other.to_token().authorization.view(), former);
}
END_TEST

START_TEST(a_sign_in_that_neither_helps) {
    Renewing w;
    ck_assert(w.renew(kNew));
    Callback c(w);
    (void)c.to_token();
    Step step = c.flow.resume(*refused());
    expect<Fetch>(step);
    step = c.flow.resume(*refused());
    const Error& error = expect<Refuse>(step).error;
    ck_assert(error.reason == Reason::token_client_auth);
    ck_assert_sv_contains(error.detail, "and with the one before");
}
END_TEST

START_TEST(files_of_secrets) {
    const auto plain = read_client_secret("a secret\n", ClientAuth::basic);
    ck_assert_result_ok(plain);
    ck_assert_sv_eq(plain->view(), "a secret");
    const auto windows = read_client_secret("a secret\r\n", ClientAuth::basic);
    ck_assert_sv_eq(windows->view(), "a secret");
    for (const std::string_view empty : {"", "\n", "\r\n"}) {
        ck_assert_result_is(read_client_secret(empty, ClientAuth::basic), Reason::malformed);
    }
    const auto small = read_client_secret("0123456789", ClientAuth::secret_jwt);
    ck_assert_result_is(small, Reason::malformed);
    ck_assert_sv_lacks(small.error().detail, "0123456789");
}
END_TEST

START_TEST(files_of_assertions) {
    const std::string good = jwt(R"({"sub":"system:serviceaccount:a:b","exp":1700000600})");
    for (const std::string& text : {good, good + "\n", " \r\n\t" + good + " \n\n"}) {
        const auto read = read_file_assertion(text);
        ck_assert_result_ok(read);
        ck_assert_sv_eq(read->text.view(), good);
        ck_assert_int_eq(read->expires, kNow + 600);
    }
    ck_assert_int_eq(assertion("{}").expires, 0);
    const std::string h = segment(R"({"alg":"RS256"})");
    const struct {
        std::string text;
        std::string_view why;
    } rows[] = {
        {"", "empty"},
        {" \n", "empty"},
        {"a secret", "3"},
        {h + "." + segment("{}"), "3"},
        {h + ".a.b.c.d", "3"},
        {h + "." + segment("{}") + ".", "signature"},
        {h + "." + segment("{}") + ".a+b=", "signature"},
        {"." + segment("{}") + ".YQ", "header"},
        {h + "..YQ", "payload"},
        {h + "." + segment("[]") + ".YQ", "payload"},
        {h + "." + segment("{}x") + ".YQ", "payload"},
        {h + " . " + segment("{}") + ".YQ", "header"},
        {good + "\n" + good, "3"},
        {jwt("{}", "{}"), "not signed"},
        {jwt("{}", R"({"alg":"none"})"), "not signed"},
        {jwt("{}", R"({"alg":"NoNe"})"), "not signed"},
        {jwt("{}", R"({"alg":7})"), "not signed"},
        {jwt("{}", R"({"alg":"RS256","alg":"none"})"), "header"},
        {jwt(R"({"exp":"soon"})"), "exp"},
        {jwt(R"({"exp":-1})"), "exp"},
        {jwt(R"({"exp":1e300})"), "exp"},
        {jwt(R"({"x":")" + std::string(kMaxFileAssertion, 'x') + "\"}"), "bytes"},
    };
    for (const auto& row : rows) {
        const auto read = read_file_assertion(row.text);
        ck_assert_result_is(read, Reason::malformed);
        ck_assert_sv_contains(read.error().detail, row.why);
    }
}
END_TEST

START_TEST(an_assertion_of_a_file) {
    Renewing w;
    w.config.client_secret.clear();
    w.config.renewed->assertion = assertion(R"({"exp":1700000600})");
    const auto chosen = choose_client_auth(w.config, w.metadata);
    ck_assert_result_ok(chosen);
    ck_assert(*chosen == ClientAuth::file_assertion);
    ProviderState state;
    state.client_auth = *chosen;
    state.metadata = w.metadata;
    const auto ask = [&](Credential which) {
        return token_request(w.config, state, "code", "https://app.example/cb", "", w.fake.ports(),
                             which);
    };
    const std::string before(w.config.renewed->assertion.text.view());
    auto request = ask(Credential::current);
    ck_assert_result_ok(request);
    ck_assert_sv_contains(
        request->body.view(),
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        "&client_assertion=" +
            before);
    ck_assert_sv_contains(request->body.view(), "client_id=espocrm");
    ck_assert(request->authorization.empty());
    // Renewed: each request has what is in the file by then.
    ck_assert(renew_assertion(w.config, assertion(R"({"exp":1700001200})"), kNow));
    request = ask(Credential::current);
    ck_assert_sv_lacks(request->body.view(), before);
    request = ask(Credential::former);
    ck_assert_sv_contains(request->body.view(), before);
    ClientTry client;
    client.begin(w.config, *chosen, kNow);
    ck_assert(client.again(w.config, *chosen, refused(), w.fake.ports()));
    // One that has expired is not sent, and none of that age is tried.
    w.fake.clock.set(kNow + 600);
    client.begin(w.config, *chosen, w.now());
    ck_assert(!client.again(w.config, *chosen, refused(), w.fake.ports()));
    w.fake.clock.set(kNow + 1200 + w.config.clock_skew);
    request = ask(Credential::current);
    ck_assert_result_is(request, Reason::token_client_auth);
    ck_assert_sv_contains(request.error().detail, "expired at 1700001200");
    ck_assert_sv_eq(request.error().fix, "client_assertion_file");
    w.fake.clock.advance(-1);
    request = ask(Credential::current);
    ck_assert_result_ok(request);
}
END_TEST

START_TEST(how_the_method_is_chosen) {
    const auto chosen = [](ClientAuth said, bool file, bool key) {
        World w;
        w.config.client_auth = said;
        if (file) {
            w.config.renewed = std::make_shared<RenewedCredentials>();
            w.config.renewed->assertion = assertion("{}");
        }
        w.config.client_key = key ? signer(Alg::ES256) : nullptr;
        return choose_client_auth(w.config, w.metadata);
    };
    ck_assert(*chosen(ClientAuth::automatic, true, true) == ClientAuth::file_assertion);
    ck_assert(*chosen(ClientAuth::private_key_jwt, true, false) == ClientAuth::file_assertion);
    ck_assert(*chosen(ClientAuth::private_key_jwt, true, true) == ClientAuth::private_key_jwt);
    ck_assert(*chosen(ClientAuth::file_assertion, true, true) == ClientAuth::file_assertion);
    ck_assert(*chosen(ClientAuth::post, true, false) == ClientAuth::post);
    const auto none = chosen(ClientAuth::file_assertion, false, true);
    ck_assert_result_is(none, Reason::metadata_invalid);
}
END_TEST

START_TEST(a_key_is_published_before_it_is_used) {
    Renewing w;
    w.config.client_key = signer(Alg::ES256);
    const auto before = w.config.client_key;
    ck_assert_sv_eq(published_keys(w.config, kNow), before->jwks());
    ck_assert(!renew_key(w.config, signer(Alg::ES256), kNow));
    ck_assert(renew_key(w.config, signer(Alg::RS256), kNow));
    const auto fresh = w.config.client_key;
    const std::string both = published_keys(w.config, kNow);
    const auto keys = KeySet::parse(both);
    ck_assert_result_ok(keys);
    ck_assert_uint_eq(keys->size(), 2);
    ck_assert_sv_contains(both, before->thumbprint());
    ck_assert_sv_contains(both, fresh->thumbprint());
    // Meanwhile a provider with a copy of the document knows the former one.
    ClientTry client;
    ck_assert(&signing_key(w.config, kNow) == before.get());
    ck_assert(client.begin(w.config, ClientAuth::private_key_jwt, kNow) == Credential::former);
    ck_assert(&signing_key(w.config, kNow + kKeyHeadStart) == fresh.get());
    ck_assert(client.begin(w.config, ClientAuth::private_key_jwt, kNow + kKeyHeadStart) ==
              Credential::current);
    // One that has dropped it already is asked with the new one, from then on at once.
    client.begin(w.config, ClientAuth::private_key_jwt, kNow);
    ck_assert(client.again(w.config, ClientAuth::private_key_jwt, refused(), w.fake.ports()));
    ck_assert(client.credential() == Credential::current);
    ck_assert(!client.again(w.config, ClientAuth::private_key_jwt, taken(), w.fake.ports()));
    ck_assert(&signing_key(w.config, kNow) == fresh.get());
    // The private half is gone long before the public one.
    drop_ended(w.config, kNow + kFormerLife);
    ck_assert(w.config.renewed->former_key == nullptr);
    ck_assert_sv_eq(published_keys(w.config, kNow + kFormerKeyPublished - 1), both);
    ck_assert_sv_eq(published_keys(w.config, kNow + kFormerKeyPublished), fresh->jwks());
    drop_ended(w.config, kNow + kFormerKeyPublished);
    ck_assert(w.config.renewed->published.empty());
}
END_TEST

START_TEST(what_the_provider_signs_with_the_secret) {
    Renewing w;
    w.config.client_secret = Secret(std::string(40, 'o'));
    const std::string token =
        forge_hs_token(R"({"alg":"HS256"})", "{}", Alg::HS256, std::string(40, 'o'));
    const std::array<Alg, 1> allowed{Alg::HS256};
    const auto verify = [&] {
        VerifyOptions options;
        options.allowed = allowed;
        options.shared_secret = &w.config.client_secret;
        options.former_secret = former_secret(w.config);
        return verify_jws(token, options);
    };
    ck_assert_result_ok(verify());
    ck_assert(w.renew(std::string(40, 'n')));
    ck_assert_result_ok(verify());
    drop_ended(w.config, kNow + kFormerLife);
    ck_assert_result_is(verify(), Reason::jwt_signature);
}
END_TEST

START_TEST(what_was_withdrawn_long_ago) {
    // A worker that has not seen what was in use before the change: nothing counts beside it.
    Renewing w;
    ck_assert(w.renew(kNew));
    ck_assert_sv_eq(former_secret(w.config)->view(), kOld);
    forget_former(w.config, RenewedKind::secret);
    ck_assert_ptr_null(former_secret(w.config));
    ck_assert(w.tried(kOld) == (Tried{std::string(kNew)}));
    w.config.client_key = signer(Alg::ES256);
    ck_assert(renew_key(w.config, signer(Alg::RS256), kNow));
    forget_former(w.config, RenewedKind::key);
    ck_assert(&signing_key(w.config, kNow) == w.config.client_key.get());
    ck_assert_sv_eq(published_keys(w.config, kNow), w.config.client_key->jwks());
    w.config.renewed->assertion = assertion(R"({"exp":1700000600})");
    ck_assert(renew_assertion(w.config, assertion(R"({"exp":1700001200})"), kNow));
    forget_former(w.config, RenewedKind::assertion);
    ck_assert(w.config.renewed->former_assertion.text.empty());
}
END_TEST

static Suite* client_credentials_suite() {
    Suite* suite = suite_create("client_credentials");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, nothing_is_renewed);
    tcase_add_test(tcase, the_file_changes_first);
    tcase_add_test(tcase, the_provider_never_changes);
    tcase_add_test(tcase, neither_is_right);
    tcase_add_test(tcase, several_changes);
    tcase_add_test(tcase, a_change_under_way);
    tcase_add_test(tcase, what_refuses_a_credential);
    tcase_add_test(tcase, a_sign_in_during_the_change);
    tcase_add_test(tcase, a_sign_in_that_neither_helps);
    tcase_add_test(tcase, files_of_secrets);
    tcase_add_test(tcase, files_of_assertions);
    tcase_add_test(tcase, an_assertion_of_a_file);
    tcase_add_test(tcase, how_the_method_is_chosen);
    tcase_add_test(tcase, a_key_is_published_before_it_is_used);
    tcase_add_test(tcase, what_the_provider_signs_with_the_secret);
    tcase_add_test(tcase, what_was_withdrawn_long_ago);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration client_credentials_registered("client_credentials",
                                                        client_credentials_suite);
