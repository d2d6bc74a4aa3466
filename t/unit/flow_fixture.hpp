// SPDX-License-Identifier: Apache-2.0
// A provider that signs with ES256, for the tests of flows.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "forge.hpp"
#include "now.hpp"
#include "oidc/flow.hpp"
#include "unit.hpp"

namespace oidc::unit {

template <class T>
T& expect(Step& step) {
    const auto* refused = std::get_if<Refuse>(&step);
    T* found = nullptr;
    if constexpr (std::is_constructible_v<TokenHolds, T>) {
        found = token_holds<T>(step);
    } else {
        found = std::get_if<T>(&step);
    }
    ck_assert_msg(found != nullptr, "another step (%zu) %s", step.index(),
                  refused == nullptr ? "" : refused->error.detail.c_str());
    return *found;
}

inline HttpResponse json_response(std::string_view body) {
    HttpResponse response;
    response.status = 200;
    response.content_type = "application/json";
    response.body = Secret(body);
    return response;
}

struct World {
    ProviderConfig config;
    Metadata metadata;
    FakePorts fake;
    std::string kid = "k1";  // of the key in the JWKS
    std::uint64_t generation = 3;
    std::string access_token = "access-token";

    World() {
        config.name = "op";
        config.issuer = "https://op.example";
        config.client_id = "espocrm";
        config.client_secret = Secret("the-client-secret");
        metadata.authorization_endpoint = "https://op.example/auth";
        metadata.token_endpoint = "https://op.example/token";
        metadata.userinfo_endpoint = "https://op.example/userinfo";
        metadata.jwks_uri = "https://op.example/jwks";
        metadata.id_token_signing_algs = {"ES256"};
    }
    [[nodiscard]] std::shared_ptr<const ProviderState> provider() const {
        auto state = std::make_shared<ProviderState>();
        state->metadata = metadata;
        state->authorization_prefix = authorization_prefix(config, metadata);
        Result<KeySet> keys = KeySet::parse(forge_jwks({key().jwk(kid)}));
        ck_assert_result_ok(keys);
        state->keys = *std::move(keys);
        state->algs = allowed_algs(config, metadata.id_token_signing_algs);
        state->response_algs = asymmetric_algs(metadata.authorization_signing_algs);
        state->pkce = use_pkce(config, metadata);
        state->par = use_par(config, metadata);
        state->request_object = use_request_object(config, metadata);
        state->generation = generation;
        return state;
    }
    // A good ID token under `with_kid` (empty: the known one, "-": none); `more` are members that
    // come with a leading comma and, for "nonce" and "auth_time", instead of the right one.
    [[nodiscard]] std::string id_token(std::string_view with_kid = {},
                                       std::string_view more = {}) const {
        const std::string_view used = with_kid.empty() ? std::string_view(kid) : with_kid;
        std::string payload =
            R"({"iss":"https://op.example","aud":"espocrm","sub":"john-id","sid":"sid-1",)"
            R"("preferred_username":"john","iat":)" +
            std::to_string(kNow) + R"(,"exp":)" + std::to_string(kNow + 300);
        if (more.find("\"auth_time\"") == std::string_view::npos) {
            payload += R"(,"auth_time":)" + std::to_string(kNow - 50);
        }
        if (more.find("\"nonce\"") == std::string_view::npos) {
            payload += R"(,"nonce":"the-nonce")";
        }
        payload.append(more).append("}");
        return forge_token(forge_header("ES256", used == "-" ? std::string_view() : used), payload,
                           Alg::ES256, key());
    }
    [[nodiscard]] HttpResponse token_response(std::string_view id_token) const {
        return json_response(R"({"token_type":"Bearer","expires_in":3600,"access_token":")" +
                             access_token + R"(","id_token":")" + std::string(id_token) + "\"}");
    }
    [[nodiscard]] HttpResponse jwt_response(std::string_view payload,
                                            std::string_view with_kid) const {
        HttpResponse response =
            json_response(forge_token(forge_header("ES256", with_kid), payload, Alg::ES256, key()));
        response.content_type = "application/jwt";
        return response;
    }
    static const ForgeKey& key() { return ForgeKey::for_alg(Alg::ES256); }
};

// A claim_source of `world`, which is required, and what it says in a JWT.
struct Registry : World {
    explicit Registry(World& world) {
        config.name = "registry";
        config.issuer = "https://registry.example";
        world.config.claim_sources.push_back({&config, {"api.example:443"}, true});
    }
    [[nodiscard]] std::string says(std::string_view groups, Seconds exp = kNow + 9000) const {
        return forge_token(forge_header("ES256", "k1"),
                           R"({"iss":"https://registry.example","groups":")" + std::string(groups) +
                               R"(","exp":)" + std::to_string(exp) + "}",
                           Alg::ES256, key());
    }
    // The members that leave `groups` to it; with a leading comma.
    static std::string left(std::string_view source) {
        return R"(,"_claim_names":{"groups":"s"},"_claim_sources":{"s":{)" + std::string(source) +
               "}}";
    }
    [[nodiscard]] std::string aggregated(std::string_view groups, Seconds exp = kNow + 9000) const {
        return left(R"("JWT":")" + says(groups, exp) + "\"");
    }
};

// A callback of the world's provider, for a login that is under way.
struct Callback {
    explicit Callback(World& world, std::string_view query = "code=the-code&state=s")
        : Callback(world, query, world.fake.ports()) {}
    Callback(World& world, std::string_view query, Ports ports, LoginDemand demand = {},
             bool renewed = false)
        : world(world),
          flow(world.config, ports, pending(std::move(demand), renewed), response(query)) {}

    Step start() {
        Step first = flow.start();
        ck_assert_uint_eq(expect<NeedProvider>(first).newer_than, 0);
        return flow.resume(ProviderReady(world.provider()));
    }
    HttpRequest to_token() {
        Step step = start();
        return std::move(expect<Fetch>(step).request);
    }

    World& world;
    CallbackFlow flow;

  private:
    static PendingLogin pending(LoginDemand demand, bool renewed) {
        PendingLogin login;
        login.renewed = renewed;
        login.demand = std::move(demand);
        login.state = "ngxoidc1.s";
        login.nonce = "the-nonce";
        login.verifier = Secret("the-verifier");
        login.return_to = "/a?b=1";
        login.redirect_uri = "https://app.example/oidc_callback";
        login.session_key = std::string(64, 'a');
        login.created = kNow - 30;
        return login;
    }
    static AuthzResponse response(std::string_view query) {
        Result<AuthzResponse> parsed = parse_authz_response(query);
        ck_assert_result_ok(parsed);
        return *std::move(parsed);
    }
};

}  // namespace oidc::unit
