// SPDX-License-Identifier: Apache-2.0
#include "oidc/revocation.hpp"

#include "flow_fixture.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

struct Revoking : World {
    Session session;
    std::optional<Revocation> revocation;
    Revoking() {
        config.revoke_on_logout = true;
        metadata.revocation_endpoint = "https://op.example/revoke";
        session.refresh_token = Secret("rt+1");
        session.access_token = Secret("at-1");
    }
    std::optional<HttpRequest> request() {
        const auto record = encode_session(session);
        ck_assert_result_ok(record);
        std::optional<Revocation> begun =
            Revocation::of(config, provider(), *SessionView::open(record->view()), kNow);
        if (!begun) {
            return std::nullopt;
        }
        revocation.emplace(*std::move(begun));
        auto made = revocation->request(fake.ports());
        ck_assert_result_ok(made);
        return *std::move(made);
    }
};

}  // namespace

START_TEST(the_refresh_token_first) {
    Revoking w;
    const auto request = w.request();
    ck_assert(request.has_value());
    ck_assert(request->method == HttpRequest::Method::post);
    ck_assert_sv_eq(request->url, "https://op.example/revoke");
    ck_assert_sv_eq(request->endpoint, "revocation_endpoint");
    ck_assert_sv_eq(request->body.view(), "token=rt%2B1&token_type_hint=refresh_token");
    ck_assert_sv_contains(request->authorization.view(), "Basic ");
    w.session.refresh_token.clear();
    const auto access = w.request();
    ck_assert_sv_eq(access->body.view(), "token=at-1&token_type_hint=access_token");
}
END_TEST

START_TEST(nothing_to_revoke) {
    Revoking off;
    off.config.revoke_on_logout = false;
    ck_assert(!off.request().has_value());
    Revoking nowhere;
    nowhere.metadata.revocation_endpoint.clear();
    ck_assert(!nowhere.request().has_value());
    Revoking empty;
    empty.session = {};
    ck_assert(!empty.request().has_value());
}
END_TEST

START_TEST(with_the_other_secret) {
    Revoking w;
    w.fake.clock.set(kNow);
    w.config.renewed = std::make_shared<RenewedCredentials>();
    w.config.renewed->renews_secret = true;
    ck_assert(renew_secret(w.config, Secret("another"), kNow));
    const auto first = w.request();
    HttpResponse refused = json_response(R"({"error":"invalid_client"})");
    refused.status = 401;
    const HttpOutcome outcome(std::move(refused));
    ck_assert(w.revocation->again(outcome, w.fake.ports()));
    const auto second = w.revocation->request(w.fake.ports());
    ck_assert_result_ok(second);
    ck_assert_sv_eq(second->body.view(), first->body.view());
    ck_assert(second->authorization.view() != first->authorization.view());
    ck_assert(!w.revocation->again(outcome, w.fake.ports()));
}
END_TEST

START_TEST(answers) {
    Revoking w;
    const auto request = w.request();
    const auto answered = [&](int status, std::string_view body) {
        HttpResponse response = json_response(body);
        response.status = status;
        return check_revocation(*request, HttpOutcome(std::move(response)));
    };
    const auto good = answered(200, "");
    ck_assert_result_ok(good);
    const auto bad = answered(400, R"({"error":"unsupported_token_type"})");
    ck_assert_result_is(bad, Reason::revocation_failed);
    ck_assert_sv_contains(bad.error().detail,
                          "revocation_endpoint \"https://op.example/revoke\" answered 400 with "
                          "error \"unsupported_token_type\"");
    const auto down = answered(503, "<html>");
    ck_assert_result_is(down, Reason::revocation_failed);
    const auto moved = answered(301, "");
    ck_assert_result_is(moved, Reason::idp_redirect);
    const auto timeout = check_revocation(*request, fail(Reason::idp_timeout, "t"));
    ck_assert_result_is(timeout, Reason::idp_timeout);
}
END_TEST

START_TEST(a_login_keeps_what_will_be_revoked) {
    for (const bool has_refresh_token : {true, false}) {
        Revoking w;
        w.config.keep_refresh_token = true;
        Callback c(w);
        (void)c.to_token();
        Step store = c.flow.resume(json_response(
            R"({"token_type":"Bearer","access_token":"at","id_token":")" + w.id_token() + "\"" +
            (has_refresh_token ? R"(,"refresh_token":"rt"})" : "}")));
        const auto view = SessionView::open(expect<StoreSession>(store).record.view());
        ck_assert_sv_eq(view->refresh_token(), has_refresh_token ? "rt" : "");
        ck_assert_sv_eq(view->access_token(), has_refresh_token ? "" : "at");
    }
}
END_TEST

static Suite* revocation_suite() {
    Suite* suite = suite_create("revocation");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, the_refresh_token_first);
    tcase_add_test(tcase, nothing_to_revoke);
    tcase_add_test(tcase, with_the_other_secret);
    tcase_add_test(tcase, answers);
    tcase_add_test(tcase, a_login_keeps_what_will_be_revoked);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration revocation_registered("revocation", revocation_suite);
