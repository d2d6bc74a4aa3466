// SPDX-License-Identifier: Apache-2.0
#include "oidc/jws.hpp"

#include <openssl/err.h>

#include "forge.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kPayload = R"({"iss":"joe","sub":"mike"})";
const Alg kPublicAlgs[] = {Alg::RS256, Alg::RS384, Alg::RS512, Alg::PS256, Alg::PS384,
                           Alg::PS512, Alg::ES256, Alg::ES384, Alg::ES512, Alg::EdDSA};
const Alg kSecretAlgs[] = {Alg::HS256, Alg::HS384, Alg::HS512};
constexpr std::string_view kTyps[] = {"jwt"};

KeySet keys(std::initializer_list<std::string> list) {
    auto set = KeySet::parse(forge_jwks(list));
    must(set.ok(), "jwks");
    return *std::move(set);
}

KeySet keys_for(Alg alg, std::string_view kid = "k") {
    return keys({ForgeKey::for_alg(alg).jwk(kid)});
}

std::string token_for(Alg alg, std::string_view kid = "k") {
    return forge_token(forge_header(alg_name(alg), kid), kPayload, alg, ForgeKey::for_alg(alg));
}

Result<VerifiedJwt> verify(std::string_view token, const KeySet& set, std::span<const Alg> allowed,
                           const Secret* secret = nullptr) {
    VerifyOptions options;
    options.allowed = allowed;
    options.keys = &set;
    options.shared_secret = secret;
    options.accepted_typ = kTyps;
    auto result = verify_jws(token, options);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return result;
}

Result<VerifiedJwt> verify_es256(std::string_view token) {
    static const KeySet set = keys_for(Alg::ES256);
    const Alg allowed[] = {Alg::ES256};
    return verify(token, set, allowed);
}

// A token of the P-256 key with this header.
std::string with_header(std::string_view header) {
    return forge_token(header, kPayload, Alg::ES256, ForgeKey::for_alg(Alg::ES256));
}

std::string header_with(std::string_view more) {
    return R"({"alg":"ES256","kid":"k")" + std::string(more) + "}";
}

}  // namespace

START_TEST(i_01_every_algorithm_when_allowed_and_only_then) {
    for (const Alg alg : kPublicAlgs) {
        const KeySet set = keys_for(alg);
        const std::string token = token_for(alg);
        const Alg only[] = {alg};
        const auto good = verify(token, set, only);
        ck_assert_result_ok(good);
        ck_assert(good->alg == alg);
        ck_assert_sv_eq(good->kid, "k");
        ck_assert_sv_eq(json_string_value(json_object_get(good->payload.get(), "sub")), "mike");
        std::vector<Alg> others;
        for (const Alg other : kPublicAlgs) {
            if (other != alg) {
                others.push_back(other);
            }
        }
        const auto bad = verify(token, set, others);
        ck_assert_result_is(bad, Reason::jwt_alg);
        ck_assert_sv_contains(bad.error().detail, alg_name(alg));
        ck_assert_sv_eq(bad.error().fix, "id_token_signed_response_alg");
        const auto none = verify(token, set, {});
        ck_assert_result_is(none, Reason::jwt_alg);
    }
}
END_TEST

START_TEST(shared_secrets_verify_their_algorithms) {
    const std::string text(64, 's');
    const Secret secret(text);
    const KeySet set;
    for (const Alg alg : kSecretAlgs) {
        const std::string token = forge_hs_token(forge_header(alg_name(alg)), kPayload, alg, text);
        const Alg only[] = {alg};
        const auto good = verify(token, set, only, &secret);
        ck_assert_result_ok(good);
        ck_assert_sv_eq(good->kid, "");
        const Secret other(std::string(64, 't'));
        const auto bad = verify(token, set, only, &other);
        ck_assert_result_is(bad, Reason::jwt_signature);
        ck_assert_sv_contains(bad.error().fix, "check client_secret;");
        ck_assert_sv_lacks(bad.error().detail, "tttt");
        const auto absent = verify(token, set, only, nullptr);
        ck_assert_result_is(absent, Reason::jwt_alg);
        const Secret empty;
        const std::string by_empty = forge_hs_token(forge_header(alg_name(alg)), kPayload, alg, "");
        const auto everyone = verify(by_empty, set, only, &empty);
        ck_assert_result_is(everyone, Reason::jwt_alg);
        const std::string mac = *base64url_decode(token.substr(token.rfind('.') + 1));
        const std::string cut =
            token.substr(0, token.rfind('.') + 1) + b64(mac.substr(0, mac.size() - 1));
        const auto shorter = verify(cut, set, only, &secret);
        ck_assert_result_is(shorter, Reason::jwt_signature);
    }
    // RFC 7518 3.2: at least as long as the hash.
    const std::string short_text(31, 's');
    const Secret short_secret(short_text);
    const Alg only[] = {Alg::HS256};
    const auto weak =
        verify(forge_hs_token(forge_header("HS256"), kPayload, Alg::HS256, short_text), set, only,
               &short_secret);
    ck_assert_result_is(weak, Reason::jwt_alg);
    ck_assert_sv_contains(weak.error().detail, "32 bytes");
    ck_assert_sv_eq(weak.error().fix, "client_secret");
}
END_TEST

START_TEST(i_02_i_03_none_in_any_spelling) {
    const KeySet set = keys_for(Alg::ES256);
    for (const char* name : {"none", "None", "NONE", "nOnE", "none ", " none", "none\\u0000"}) {
        const std::string input =
            b64(R"({"alg":")" + std::string(name) + R"(","typ":"JWT"})") + "." + b64(kPayload);
        for (const std::string& tail :
             {std::string("."), std::string(".AA"), "." + b64(std::string(64, 'x'))}) {
            const auto result = verify(input + tail, set, kPublicAlgs);
            ck_assert(!result.ok());
            if (std::string_view(name).find('\\') == std::string_view::npos) {
                ck_assert_result_is(result, Reason::jwt_alg);
            }
        }
    }
}
END_TEST

START_TEST(i_04_alg_missing_unknown_or_no_string) {
    for (const char* alg : {"\"\"", "5", "null", "\"RS255\"", "\"ES256K\"", "\"HS257\"", "[]", "{}",
                            "true", "[\"ES256\"]", "\"es256\"", "\"ES256 \""}) {
        const auto result = verify_es256(with_header(R"({"alg":)" + std::string(alg) + "}"));
        ck_assert_result_is(result, Reason::jwt_alg);
    }
    const auto missing = verify_es256(with_header(R"({"typ":"JWT"})"));
    ck_assert_result_is(missing, Reason::jwt_alg);
    const auto huge =
        verify_es256(with_header(R"({"alg":")" + std::string(64 * 1024, 'E') + "\"}"));
    ck_assert_result_is(huge, Reason::jwt_malformed);
    const auto large = verify_es256(with_header(R"({"alg":")" + std::string(30000, 'E') + "\"}"));
    ck_assert_result_is(large, Reason::jwt_alg);
}
END_TEST

START_TEST(i_06_hs256_with_rsa_public_key_as_secret) {
    const ForgeKey& rsa = ForgeKey::for_alg(Alg::RS256);
    const KeySet set = keys({rsa.jwk("k")});
    const std::string pem = rsa.public_pem();
    const std::string n = rsa.number(OSSL_PKEY_PARAM_RSA_N);
    unsigned char* der = nullptr;
    const int der_size = i2d_PUBKEY(rsa.get(), &der);
    must(der_size > 0, "der");
    const std::string der_text(reinterpret_cast<char*>(der), static_cast<std::size_t>(der_size));
    OPENSSL_free(der);
    const std::string secrets[] = {
        "", pem, pem.substr(0, pem.size() - 1), der_text, n, b64(n), rsa.jwk("k"), rsa.jwk()};
    const Secret configured(std::string(64, 'c'));
    const Secret empty;
    for (const std::string& secret : secrets) {
        for (const Alg alg : kSecretAlgs) {
            const std::string token =
                forge_hs_token(forge_header(alg_name(alg), "k"), kPayload, alg, secret);
            const auto plain = verify(token, set, kPublicAlgs, &configured);
            ck_assert_result_is(plain, Reason::jwt_alg);
            const auto allowed = verify(token, set, kSecretAlgs, &configured);
            ck_assert_result_is(allowed, Reason::jwt_signature);
            const auto public_client = verify(token, set, kSecretAlgs, &empty);
            ck_assert_result_is(public_client, Reason::jwt_alg);
        }
    }
}
END_TEST

START_TEST(i_07_one_bit_flipped_at_every_position) {
    const Alg algs[] = {Alg::RS256, Alg::PS256, Alg::ES256, Alg::EdDSA};
    for (const Alg alg : algs) {
        const KeySet set = keys_for(alg);
        const std::string good = token_for(alg);
        const auto fine = verify(good, set, kPublicAlgs);
        ck_assert_result_ok(fine);
        for (std::size_t i = 0; i < good.size(); ++i) {
            // The lowest bits of a base64url digit and one that leaves the alphabet.
            for (const unsigned bit : {0U, 1U, static_cast<unsigned>(2 + i % 6)}) {
                std::string bad = good;
                bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ (1U << bit));
                const auto result = verify(bad, set, kPublicAlgs);
                ck_assert_msg(!result.ok(), "accepted with bit %u of byte %zu flipped", bit, i);
            }
        }
    }
    const Secret secret(std::string(64, 's'));
    const std::string good =
        forge_hs_token(forge_header("HS512"), kPayload, Alg::HS512, secret.view());
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string bad = good;
            bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ (1U << bit));
            const auto result = verify(bad, KeySet(), kSecretAlgs, &secret);
            ck_assert_msg(!result.ok(), "accepted with bit %u of byte %zu flipped", bit, i);
        }
    }
}
END_TEST

START_TEST(i_08_segments) {
    const std::string good = token_for(Alg::ES256);
    const std::size_t first = good.find('.');
    const std::size_t second = good.find('.', first + 1);
    const std::string header = good.substr(0, first);
    const std::string payload = good.substr(first + 1, second - first - 1);
    const std::string signature = good.substr(second + 1);
    const auto fine = verify_es256(good);
    ck_assert_result_ok(fine);
    for (const std::string& bad :
         {std::string(), std::string("."), std::string(".."), std::string("..."), header,
          header + "." + payload, good + ".", good + ".AA", "." + good, header + ".." + signature,
          "." + payload + "." + signature, header + "." + payload + ".", good + "..."}) {
        const auto result = verify_es256(bad);
        ck_assert_result_is(result, Reason::jwt_malformed);
    }
    const auto five = verify_es256(good + ".AA.AA");
    ck_assert_result_is(five, Reason::jwt_encrypted);
    for (const std::string& bad :
         {header + "." + payload + "." + signature.substr(0, 84),
          header + "." + payload + "." + signature + "AAAA", header + "." + payload + ".AAAA"}) {
        const auto result = verify_es256(bad);
        ck_assert_result_is(result, Reason::jwt_signature);
    }
    // Half a signature of zeros in front does not change r and s, only their width.
    const std::string raw_sig = *base64url_decode(signature);
    const std::string wide =
        std::string(8, '\0') + raw_sig.substr(0, 32) + std::string(8, '\0') + raw_sig.substr(32);
    const auto padded = verify_es256(header + "." + payload + "." + b64(wide));
    ck_assert_result_is(padded, Reason::jwt_signature);
    for (const std::string& rs : {std::string(64, '\0'), std::string(64, '\xff')}) {
        const auto result = verify_es256(header + "." + payload + "." + b64(rs));
        ck_assert_result_is(result, Reason::jwt_signature);
    }
}
END_TEST

START_TEST(i_09_parts_of_different_tokens) {
    const ForgeKey& key = ForgeKey::for_alg(Alg::ES256);
    const std::string header = forge_header("ES256", "k");
    const std::string a = forge_token(header, R"({"sub":"a"})", Alg::ES256, key);
    const std::string b = forge_token(header, R"({"sub":"b"})", Alg::ES256, key);
    const std::string mixed = a.substr(0, a.rfind('.')) + b.substr(b.rfind('.'));
    const auto result = verify_es256(mixed);
    ck_assert_result_is(result, Reason::jwt_signature);
    const std::string other_form =
        b64(header) + "." + b64(R"({ "sub":"a" })") + a.substr(a.rfind('.'));
    const auto same_content = verify_es256(other_form);
    ck_assert_result_is(same_content, Reason::jwt_signature);
}
END_TEST

START_TEST(i_11_i_12_algorithm_and_key_must_fit) {
    // The alg names one curve, the only key is of another.
    for (const Alg alg : kPublicAlgs) {
        for (const Alg key : {Alg::RS256, Alg::ES256, Alg::ES384, Alg::ES512, Alg::EdDSA}) {
            const bool rsa = alg_name(alg)[0] == 'R' || alg_name(alg)[0] == 'P';
            if (key == alg || (key == Alg::RS256 && rsa)) {
                continue;
            }
            const std::string token = forge_token(forge_header(alg_name(alg), "k"), kPayload, alg,
                                                  ForgeKey::for_alg(key));
            const auto result = verify(token, keys_for(key), kPublicAlgs);
            ck_assert_result_is(result, Reason::jwt_key_unknown);
        }
    }
    for (const char* more : {R"(,"use":"enc")", R"(,"key_ops":["encrypt"])", R"(,"alg":"ES384")"}) {
        const KeySet set = keys({ForgeKey::for_alg(Alg::ES256).jwk("k", more)});
        const auto result = verify(token_for(Alg::ES256), set, kPublicAlgs);
        ck_assert_result_is(result, Reason::jwt_key_unknown);
    }
    const KeySet pinned = keys({ForgeKey::for_alg(Alg::RS256).jwk("k", R"(,"alg":"RS256")")});
    const auto other = verify(token_for(Alg::RS512), pinned, kPublicAlgs);
    ck_assert_result_is(other, Reason::jwt_key_unknown);
}
END_TEST

START_TEST(i_13_unknown_kid_is_worth_a_refetch) {
    const std::string token = token_for(Alg::ES256, "new");
    const auto result = verify_es256(token);
    ck_assert_result_is(result, Reason::jwt_key_unknown);
    ck_assert_sv_contains(result.error().detail, "\"new\"");
    ck_assert(worth_refetching(result.error(), token, {}));
    VerifyOptions options;
    options.allowed = kPublicAlgs;
    options.accepted_typ = kTyps;
    const auto without_keys = verify_jws(token, options);
    ck_assert_result_is(without_keys, Reason::jwt_key_unknown);
}
END_TEST

START_TEST(i_14_j_02_no_kid) {
    const ForgeKey& p256 = ForgeKey::for_alg(Alg::ES256);
    const std::string token = token_for(Alg::ES256, "");
    const std::string other = ForgeKey::ec("P-256").jwk("o");
    const auto one = verify(token, keys({p256.jwk("k")}), kPublicAlgs);
    ck_assert_result_ok(one);
    const auto several = verify(
        token, keys({other, ForgeKey::for_alg(Alg::RS256).jwk("r"), p256.jwk("k")}), kPublicAlgs);
    ck_assert_result_ok(several);
    const auto none = verify(token, keys({other}), kPublicAlgs);
    ck_assert_result_is(none, Reason::jwt_signature);
    ck_assert(worth_refetching(none.error(), token, {}));
    const auto no_type = verify(token, keys({ForgeKey::for_alg(Alg::RS256).jwk()}), kPublicAlgs);
    ck_assert_result_is(no_type, Reason::jwt_key_unknown);
    // At most eight tries.
    const KeySet late = keys({other, other, other, other, other, other, other, other, p256.jwk()});
    const auto bounded = verify(token, late, kPublicAlgs);
    ck_assert_result_is(bounded, Reason::jwt_signature);
    const auto empty_kid = verify_es256(with_header(R"({"alg":"ES256","kid":""})"));
    ck_assert_result_ok(empty_kid);
}
END_TEST

START_TEST(j_02_what_is_worth_a_refetch) {
    const std::string with_kid = token_for(Alg::ES256);
    const std::string without = token_for(Alg::ES256, "");
    const Error signature = oidc::fail(Reason::jwt_signature);
    const Error alg = oidc::fail(Reason::jwt_alg);
    ProviderConfig config;
    config.issuer = "https://op.example";
    // The key may have been replaced under its kid.
    ck_assert(worth_refetching(signature, with_kid, config));
    ck_assert(worth_refetching(signature, without, config));
    ck_assert(worth_refetching(alg, with_kid, config));
    ck_assert(worth_refetching(oidc::fail(Reason::id_token_iss), with_kid, config));
    ck_assert(worth_refetching(oidc::fail(Reason::logout_token_iss), with_kid, config));
    for (const Reason reason : {Reason::id_token_exp, Reason::id_token_aud, Reason::jwt_malformed,
                                Reason::jwt_typ, Reason::jwt_crit, Reason::jwt_encrypted}) {
        ck_assert(!worth_refetching(oidc::fail(reason), with_kid, config));
    }
    const std::string hs =
        forge_hs_token(forge_header("HS256"), kPayload, Alg::HS256, std::string(64, 's'));
    ck_assert(!worth_refetching(signature, hs, config));
    ck_assert(!worth_refetching(alg, hs, config));
    for (const std::string& bad : {std::string(), std::string("!"), b64("[]") + ".",
                                   b64(R"({"alg":5})") + ".", b64(R"({"kid":"k"})") + ".",
                                   b64(R"({"alg":"x"})") + ".", b64(R"({"alg":"none"})") + "."}) {
        ck_assert(!worth_refetching(signature, bad, config));
        ck_assert(!worth_refetching(alg, bad, config));
    }
    // What the configuration says does not change by fetching.
    config.id_token_algs = {Alg::RS256};
    ck_assert(!worth_refetching(alg, with_kid, config));
    ck_assert(worth_refetching(signature, with_kid, config));
    config.id_token_algs.clear();
    config.authorization_endpoint = config.token_endpoint = config.jwks_uri = "https://op.example/";
    ck_assert(!worth_refetching(alg, with_kid, config));
    ck_assert(!worth_refetching(oidc::fail(Reason::id_token_iss), with_kid, config));
    ck_assert(worth_refetching(signature, with_kid, config));
}
END_TEST

START_TEST(j_12_keys_without_kid) {
    const ForgeKey& p256 = ForgeKey::for_alg(Alg::ES256);
    const std::string other = ForgeKey::ec("P-256").jwk("o");
    const std::string token = token_for(Alg::ES256, "any");
    // A set whose keys have no names is tried as a whole, beside those of the name.
    const auto unnamed = verify(token, keys({other, p256.jwk()}), kPublicAlgs);
    ck_assert_result_ok(unnamed);
    const auto both =
        verify(token, keys({ForgeKey::ec("P-256").jwk("any"), p256.jwk()}), kPublicAlgs);
    ck_assert_result_ok(both);
    const auto named = verify(token, keys({p256.jwk("o")}), kPublicAlgs);
    ck_assert_result_is(named, Reason::jwt_key_unknown);
}
END_TEST

START_TEST(i_15_hostile_kids_are_only_compared) {
    for (const char* kid : {"../../etc/passwd", "' OR 1=1", "a\r\nb", "%s%n"}) {
        const auto result = verify_es256(token_for(Alg::ES256, kid));
        ck_assert_result_is(result, Reason::jwt_key_unknown);
    }
    for (const char* more : {"5", "null", "[]", "{}", "true"}) {
        const auto result =
            verify_es256(with_header(R"({"alg":"ES256","kid":)" + std::string(more) + "}"));
        ck_assert_result_is(result, Reason::jwt_malformed);
    }
    const auto large = verify_es256(token_for(Alg::ES256, std::string(64 * 1024, 'k')));
    ck_assert_result_is(large, Reason::jwt_malformed);
}
END_TEST

START_TEST(i_15_keys_named_inside_the_token_are_not_used) {
    const ForgeKey evil = ForgeKey::ec("P-256");
    const std::string header = R"({"alg":"ES256","jwk":)" + evil.jwk("k") +
                               R"(,"jku":"https://evil.example/","x5u":"https://evil.example/",)" +
                               R"("x5c":["AAAA"]})";
    const auto result = verify_es256(forge_token(header, kPayload, Alg::ES256, evil));
    ck_assert_result_is(result, Reason::jwt_signature);
}
END_TEST

START_TEST(i_17_crit_and_b64) {
    for (const char* more : {R"(,"crit":["x"])", R"(,"crit":[])", R"(,"crit":"x")",
                             R"(,"crit":null)", R"(,"crit":["b64"],"b64":false)", R"(,"b64":false)",
                             R"(,"b64":true)", R"(,"crit":["exp"],"exp":1)"}) {
        const auto result = verify_es256(with_header(header_with(more)));
        ck_assert_result_is(result, Reason::jwt_crit);
    }
}
END_TEST

START_TEST(i_18_types) {
    for (const char* typ : {"at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "", "jwt ",
                            "application/at+jwt", "application/application/jwt", "id+jwt"}) {
        const auto result =
            verify_es256(with_header(header_with(R"(,"typ":")" + std::string(typ) + "\"")));
        ck_assert_result_is(result, Reason::jwt_typ);
    }
    for (const char* typ : {"5", "null", "[]", "[\"JWT\"]"}) {
        const auto result = verify_es256(with_header(header_with(R"(,"typ":)" + std::string(typ))));
        ck_assert_result_is(result, Reason::jwt_typ);
    }
    for (const char* typ : {"JWT", "jwt", "Jwt", "application/jwt", "APPLICATION/JWT"}) {
        const auto result =
            verify_es256(with_header(header_with(R"(,"typ":")" + std::string(typ) + "\"")));
        ck_assert_result_ok(result);
    }
    const auto absent = verify_es256(with_header(header_with("")));
    ck_assert_result_ok(absent);
    VerifyOptions strict;
    const Alg allowed[] = {Alg::ES256};
    const KeySet set = keys_for(Alg::ES256);
    strict.allowed = allowed;
    strict.keys = &set;
    const auto none_accepted = verify_jws(token_for(Alg::ES256), strict);
    ck_assert_result_is(none_accepted, Reason::jwt_typ);
    const auto without_typ = verify_jws(with_header(header_with("")), strict);
    ck_assert_result_ok(without_typ);
}
END_TEST

START_TEST(i_19_json_serialization_and_polyglots) {
    const std::string good = token_for(Alg::ES256);
    const std::size_t first = good.find('.');
    const std::size_t second = good.find('.', first + 1);
    const std::string protected_part =
        R"({"payload":")" + good.substr(first + 1, second - first - 1) + R"(","protected":")" +
        good.substr(0, first) + R"(","signature":")" + good.substr(second + 1) + "\"}";
    for (const std::string& bad :
         {protected_part, "{\"signatures\":[" + protected_part + "]}", "{\"x\":\"" + good + "\"}",
          good + protected_part, "\"" + good + "\"", good + "\n", " " + good}) {
        const auto result = verify_es256(bad);
        ck_assert_result_is(result, Reason::jwt_malformed);
    }
}
END_TEST

START_TEST(i_20_e_13_encrypted_tokens_get_a_clear_error) {
    const std::string jwe =
        b64(R"({"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647})") +
        ".AAAA.AAAA.AAAA.AAAA";
    const auto result = verify_es256(jwe);
    ck_assert_result_is(result, Reason::jwt_encrypted);
    ck_assert_sv_contains(result.error().detail, "encrypted");
}
END_TEST

START_TEST(i_22_paddings) {
    const ForgeKey& rsa = ForgeKey::for_alg(Alg::RS256);
    const KeySet set = keys_for(Alg::RS256);
    const auto forged = [&](const char* label, Alg how, int salt) {
        const std::string input = b64(forge_header(label, "k")) + "." + b64(kPayload);
        return input + "." + b64(rsa.sign(how, input, salt));
    };
    const auto ps_as_rs = verify(forged("RS256", Alg::PS256, -1), set, kPublicAlgs);
    ck_assert_result_is(ps_as_rs, Reason::jwt_signature);
    const auto rs_as_ps = verify(forged("PS256", Alg::RS256, -1), set, kPublicAlgs);
    ck_assert_result_is(rs_as_ps, Reason::jwt_signature);
    const auto hash_mix = verify(forged("RS256", Alg::RS512, -1), set, kPublicAlgs);
    ck_assert_result_is(hash_mix, Reason::jwt_signature);
    for (const int salt : {0, 16, 31, 33, 64}) {
        const auto odd = verify(forged("PS256", Alg::PS256, salt), set, kPublicAlgs);
        ck_assert_result_is(odd, Reason::jwt_signature);
    }
    const auto right = verify(forged("PS256", Alg::PS256, 32), set, kPublicAlgs);
    ck_assert_result_ok(right);
}
END_TEST

// e = 3 and PKCS#1 v1.5 with garbage behind the hash: a cube root is a "signature".
START_TEST(i_22_bleichenbacher_2006) {
    const KeySet set =
        keys({R"({"kty":"RSA","kid":"k","e":"Aw","n":")" +
              b64(ForgeKey::for_alg(Alg::RS256).number(OSSL_PKEY_PARAM_RSA_N)) + "\"}"});
    ck_assert_uint_eq(set.size(), 1);
    const std::string input = b64(forge_header("RS256", "k")) + "." + b64(kPayload);
    unsigned char hash[32];
    must(EVP_Digest(input.data(), input.size(), hash, nullptr, EVP_sha256(), nullptr) == 1, "hash");
    std::string block = unhex(
        "0001ffffffffffffffff00"
        "3031300d060960864801650304020105000420");
    block.append(reinterpret_cast<char*>(hash), sizeof hash);
    block.resize(256, '\0');
    // The cube root of the block, rounded up, by bisection.
    BN_CTX* ctx = BN_CTX_new();
    BIGNUM* target = BN_bin2bn(as_bytes(block).data(), static_cast<int>(block.size()), nullptr);
    BIGNUM* root = BN_new();
    BIGNUM* cube = BN_new();
    BN_zero(root);
    for (int bit = 690; bit >= 0; --bit) {
        BN_set_bit(root, bit);
        BN_sqr(cube, root, ctx);
        BN_mul(cube, cube, root, ctx);
        if (BN_cmp(cube, target) > 0) {
            BN_clear_bit(root, bit);
        }
    }
    BN_add_word(root, 1);
    BN_sqr(cube, root, ctx);
    BN_mul(cube, cube, root, ctx);
    std::string shown(256, '\0');
    std::string signature(256, '\0');
    BN_bn2binpad(cube, reinterpret_cast<unsigned char*>(shown.data()), 256);
    BN_bn2binpad(root, reinterpret_cast<unsigned char*>(signature.data()), 256);
    BN_free(target);
    BN_free(root);
    BN_free(cube);
    BN_CTX_free(ctx);
    // The forgery is a real one: padding, algorithm and hash are where a lax verifier looks.
    ck_assert_sv_eq(shown.substr(0, 62), block.substr(0, 62));
    const auto result = verify(input + "." + b64(signature), set, kPublicAlgs);
    ck_assert_result_is(result, Reason::jwt_signature);
}
END_TEST

START_TEST(i_38_duplicates_and_encodings) {
    const ForgeKey& key = ForgeKey::for_alg(Alg::ES256);
    const auto duplicate_alg = verify_es256(with_header(R"({"alg":"ES256","alg":"ES256"})"));
    ck_assert_result_is(duplicate_alg, Reason::jwt_malformed);
    const auto duplicate_sub =
        verify_es256(forge_token(header_with(""), R"({"sub":"a","sub":"b"})", Alg::ES256, key));
    ck_assert_result_is(duplicate_sub, Reason::jwt_malformed);

    // Signed as they stand, so that only the encoding is wrong.
    const std::string header = b64(header_with(""));
    const std::string payload = b64(R"({"sub":"a?"})");
    for (const std::string& odd :
         {header + "=." + payload, header + "." + payload + "=", header + "." + payload + "\n",
          header + "." + payload.substr(0, 4) + " " + payload.substr(4),
          header + "." + payload.substr(0, 4) + "\r\n" + payload.substr(4),
          header + "." + payload + "+", header + "." + payload + "/",
          header + "." + payload + "A"}) {
        const auto result = verify_es256(odd + "." + b64(key.sign(Alg::ES256, odd)));
        ck_assert_result_is(result, Reason::jwt_malformed);
    }
    const std::string good = forge_token(header_with(""), kPayload, Alg::ES256, key);
    // 64 bytes leave four bits in the last digit, which must be zero.
    std::string trailing = good;
    const std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    trailing.back() = digits[digits.find(trailing.back()) + 1];
    for (const std::string& bad : {trailing, good + "=", good + "==", good + " "}) {
        const auto result = verify_es256(bad);
        ck_assert_result_is(result, Reason::jwt_malformed);
    }
}
END_TEST

START_TEST(i_39_payloads_that_are_no_json_object) {
    const ForgeKey& key = ForgeKey::for_alg(Alg::ES256);
    for (const std::string& payload :
         {std::string("[]"), std::string("1"), std::string("null"), std::string("\"x\""),
          std::string("{"), std::string("{}{}"), raw("{}\0"), std::string("\xef\xbb\xbf{}"),
          std::string("{\"sub\":\"\xff\"}"), std::string("{\"sub\":\"\xc0\xaf\"}"),
          std::string("{\"sub\":\"a\\u0000b\"}"), std::string("{\"sub\":\"\\ud800\"}"),
          "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"}) {
        const auto result = verify_es256(forge_token(header_with(""), payload, Alg::ES256, key));
        ck_assert_result_is(result, Reason::jwt_malformed);
    }
    const auto empty = verify_es256(forge_token(header_with(""), "{}", Alg::ES256, key));
    ck_assert_result_ok(empty);
}
END_TEST

START_TEST(i_41_sizes) {
    const ForgeKey& key = ForgeKey::for_alg(Alg::ES256);
    const auto big = verify_es256(forge_token(
        header_with(""), R"({"x":")" + std::string(1 << 20, 'x') + "\"}", Alg::ES256, key));
    ck_assert_result_is(big, Reason::jwt_malformed);
    ck_assert_sv_contains(big.error().detail, "65536");
    std::string many = "{\"sub\":\"x\"";
    for (int i = 0; i < 4000; ++i) {
        many += ",\"c" + std::to_string(i) + "\":1";
    }
    const auto claims = verify_es256(forge_token(header_with(""), many + "}", Alg::ES256, key));
    ck_assert_result_ok(claims);
}
END_TEST

START_TEST(rfc_7515_a_1_hs256) {
    const std::string token =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
        "cnVlfQ"
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const Secret secret(*base64url_decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"));
    const auto result = verify(token, KeySet(), kSecretAlgs, &secret);
    ck_assert_result_ok(result);
    ck_assert_int_eq(json_integer_value(json_object_get(result->payload.get(), "exp")), 1300819380);
}
END_TEST

START_TEST(rfc_7515_a_2_rs256) {
    const KeySet set = keys(
        {R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"})"});
    const auto result = verify(
        "eyJhbGciOiJSUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
        "cnVlfQ"
        ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W"
        "2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSj"
        "tQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh"
        "6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        set, kPublicAlgs);
    ck_assert_result_ok(result);
}
END_TEST

START_TEST(rfc_7515_a_3_es256) {
    const KeySet set = keys(
        {R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})"});
    const auto result = verify(
        "eyJhbGciOiJFUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
        "cnVlfQ"
        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        set, kPublicAlgs);
    ck_assert_result_ok(result);
}
END_TEST

START_TEST(rfc_7515_a_4_es512) {
    const KeySet set = keys(
        {R"({"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"})"});
    const std::string token =
        "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA"
        ".AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7Xdt"
        "AG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    // The payload is plain text: a good signature gets as far as that.
    const auto good = verify(token, set, kPublicAlgs);
    ck_assert_result_is(good, Reason::jwt_malformed);
    ck_assert_sv_contains(good.error().detail, "payload");
    std::string changed = token;
    changed[26] = 'C';
    const auto bad = verify(changed, set, kPublicAlgs);
    ck_assert_result_is(bad, Reason::jwt_signature);
}
END_TEST

START_TEST(rfc_8037_a_4_eddsa) {
    const KeySet set = keys(
        {R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"});
    const std::string input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    // The payload is plain text: a good signature gets as far as that.
    const auto good = verify(input +
                                 ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5B"
                                 "hVsPt9g7sVvpAr_MuM0KAg",
                             set, kPublicAlgs);
    ck_assert_result_is(good, Reason::jwt_malformed);
    ck_assert_sv_contains(good.error().detail, "payload");
    const auto bad = verify(input +
                                ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5B"
                                "hVsPt9g7sVvpAr_MuM0KBg",
                            set, kPublicAlgs);
    ck_assert_result_is(bad, Reason::jwt_signature);
}
END_TEST

START_TEST(half_hashes) {
    // OIDC Core A.3 and A.4.
    const auto at_hash = half_hash(Alg::RS256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
    ck_assert_result_ok(at_hash);
    ck_assert_sv_eq(*at_hash, "77QmUPtjPfzWtF2AnpK9RQ");
    const auto c_hash =
        half_hash(Alg::RS256, "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk");
    ck_assert_result_ok(c_hash);
    ck_assert_sv_eq(*c_hash, "LDktKdoQak3Pk0cnXxCltA");
    for (const Alg alg : kPublicAlgs) {
        const auto hash = half_hash(alg, "x");
        ck_assert_result_ok(hash);
        const std::string_view name = alg_name(alg);
        const std::size_t bytes = name.ends_with("256") ? 16 : name.ends_with("384") ? 24 : 32;
        ck_assert_uint_eq(base64url_decode(*hash)->size(), bytes);
    }
}
END_TEST

static Suite* jws_suite() {
    Suite* suite = suite_create("jws");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, i_01_every_algorithm_when_allowed_and_only_then);
    tcase_add_test(tcase, shared_secrets_verify_their_algorithms);
    tcase_add_test(tcase, i_02_i_03_none_in_any_spelling);
    tcase_add_test(tcase, i_04_alg_missing_unknown_or_no_string);
    tcase_add_test(tcase, i_06_hs256_with_rsa_public_key_as_secret);
    tcase_add_test(tcase, i_07_one_bit_flipped_at_every_position);
    tcase_add_test(tcase, i_08_segments);
    tcase_add_test(tcase, i_09_parts_of_different_tokens);
    tcase_add_test(tcase, i_11_i_12_algorithm_and_key_must_fit);
    tcase_add_test(tcase, i_13_unknown_kid_is_worth_a_refetch);
    tcase_add_test(tcase, i_14_j_02_no_kid);
    tcase_add_test(tcase, j_02_what_is_worth_a_refetch);
    tcase_add_test(tcase, j_12_keys_without_kid);
    tcase_add_test(tcase, i_15_hostile_kids_are_only_compared);
    tcase_add_test(tcase, i_15_keys_named_inside_the_token_are_not_used);
    tcase_add_test(tcase, i_17_crit_and_b64);
    tcase_add_test(tcase, i_18_types);
    tcase_add_test(tcase, i_19_json_serialization_and_polyglots);
    tcase_add_test(tcase, i_20_e_13_encrypted_tokens_get_a_clear_error);
    tcase_add_test(tcase, i_22_paddings);
    tcase_add_test(tcase, i_22_bleichenbacher_2006);
    tcase_add_test(tcase, i_38_duplicates_and_encodings);
    tcase_add_test(tcase, i_39_payloads_that_are_no_json_object);
    tcase_add_test(tcase, i_41_sizes);
    tcase_add_test(tcase, rfc_7515_a_1_hs256);
    tcase_add_test(tcase, rfc_7515_a_2_rs256);
    tcase_add_test(tcase, rfc_7515_a_3_es256);
    tcase_add_test(tcase, rfc_7515_a_4_es512);
    tcase_add_test(tcase, rfc_8037_a_4_eddsa);
    tcase_add_test(tcase, half_hashes);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration jws_registered("jws", jws_suite);
