// SPDX-License-Identifier: Apache-2.0
#include "oidc/client_credentials.hpp"
#include "oidc/jwe.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "flow_fixture.hpp"
#include "oidc/backchannel_flow.hpp"
#include "oidc/signer.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::size_t kMax = 96 * 1024;

struct Vector {
    std::string maker, key, alg, enc, token;
};
struct Vectors {
    std::string inside;
    std::map<std::string, std::string> pem;
    std::vector<Vector> all;

    static const Vectors& read() {
        static const Vectors vectors = [] {
            Vectors out;
            std::ifstream file(UNIT_DATA_DIR "/jwe_vectors.txt");
            must(file.good(), "jwe_vectors.txt");
            for (std::string line; std::getline(file, line);) {
                std::istringstream words(line);
                Vector v;
                words >> v.maker >> v.key;
                if (v.maker == "inside") {
                    out.inside = v.key;
                } else if (v.maker == "key") {
                    std::string text = line.substr(line.find("-----"));
                    std::replace(text.begin(), text.end(), '|', '\n');
                    out.pem[v.key] = text;
                } else if (v.maker != "#") {
                    words >> v.alg >> v.enc >> v.token;
                    out.all.push_back(v);
                }
            }
            return out;
        }();
        return vectors;
    }
    [[nodiscard]] const std::string& token(std::string_view alg, std::string_view enc) const {
        for (const Vector& v : all) {
            if (v.alg == alg && v.enc == enc) {
                return v.token;
            }
        }
        must(false, "no such vector");
        return inside;
    }
};

JweDecrypter decrypter(const std::string& pem, std::optional<JweAlg> alg = {},
                       std::optional<JweEnc> enc = {}, std::string_view kid = {}) {
    auto made = JweDecrypter::from_pem(pem, alg, enc, kid);
    ck_assert_result_ok(made);
    return *std::move(made);
}

Result<Secret> opened(const JweDecrypter& with, std::string_view token, std::size_t max = kMax) {
    FakeRandom random;
    auto result = with.open(token, max, random);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return result;
}

std::vector<std::string> split(std::string_view token) {
    std::vector<std::string> parts(1);
    for (const char c : token) {
        if (c == '.') {
            parts.emplace_back();
        } else {
            parts.back().push_back(c);
        }
    }
    return parts;
}

std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) {
        out += (&part == &parts.front() ? "" : ".") + part;
    }
    return out;
}

std::string with_part(std::string_view token, std::size_t index, std::string_view bytes) {
    auto parts = split(token);
    parts[index] = b64(bytes);
    return joined(parts);
}

std::string part(std::string_view token, std::size_t index) {
    return *base64url_decode(split(token)[index]);
}

// RSA, for what is made here.
const ForgeKey& rsa() {
    return ForgeKey::for_alg(Alg::RS256);
}
const JweDecrypter& of_rsa() {
    static const JweDecrypter made = decrypter(rsa().private_pem());
    return made;
}
std::string head(std::string_view more = {}) {
    return R"({"alg":"RSA-OAEP-256","enc":"A256GCM")" + std::string(more) + "}";
}
const std::string kInside = "aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl";

void refused(const JweDecrypter& with, std::string_view token, Reason reason) {
    const auto result = opened(with, token);
    ck_assert_result_is(result, reason);
    ck_assert(result.error().detail.find(kInside) == std::string::npos);
}
void header_refused(std::string_view header, Reason reason) {
    refused(of_rsa(), forge_jwe(header, kInside, rsa()), reason);
}

// A provider whose tokens are encrypted for us.
struct EncryptedWorld : World {
    EncryptedWorld() {
        config.decrypter = std::make_shared<JweDecrypter>(decrypter(rsa().private_pem()));
        config.encryption_required = true;
    }
    [[nodiscard]] static std::string sealed(std::string_view token) {
        return forge_jwe(head(R"(,"cty":"JWT")"), token, rsa());
    }
};

}  // namespace

START_TEST(i_21_tokens_of_other_implementations) {
    const Vectors& vectors = Vectors::read();
    ck_assert_uint_eq(vectors.all.size(), 32);
    for (const Vector& v : vectors.all) {
        const std::string what = v.maker + " " + v.alg + " " + v.enc;
        const std::string& pem = vectors.pem.at(v.key);
        const auto result = opened(decrypter(pem), v.token);
        ck_assert_msg(result.ok(), "%s: %s", what.c_str(), describe(result).c_str());
        ck_assert_sv_eq(result->view(), vectors.inside);
        const auto alg = jwe_alg_from_name(v.alg);
        const auto enc = jwe_enc_from_name(v.enc);
        ck_assert(alg && enc);
        ck_assert(opened(decrypter(pem, alg, enc), v.token).ok());
        for (const JweEnc other :
             {JweEnc::A128GCM, JweEnc::A256GCM, JweEnc::A128CBC_HS256, JweEnc::A256CBC_HS512}) {
            if (other != *enc) {
                refused(decrypter(pem, alg, other), v.token, Reason::jwt_alg);
            }
        }
        // The parties are part of what is agreed on, and every byte is authenticated.
        for (std::size_t i = 0; i < 5; ++i) {
            auto parts = split(v.token);
            if (parts[i].empty()) {
                continue;
            }
            std::string bytes = part(v.token, i);
            bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
            const auto spoilt = opened(decrypter(pem), with_part(v.token, i, bytes));
            ck_assert_msg(!spoilt.ok(), "%s: segment %zu does not count", what.c_str(), i);
            if (i > 0) {
                ck_assert_result_is(spoilt, Reason::jwt_decryption);
            }
        }
    }
}
END_TEST

START_TEST(i_20_lengths_are_those_of_the_algorithms) {
    const Vectors& vectors = Vectors::read();
    for (const Vector& v : vectors.all) {
        const JweDecrypter with = decrypter(vectors.pem.at(v.key));
        const std::string tag = part(v.token, 4);
        const std::string iv = part(v.token, 2);
        for (const std::size_t bytes : {0, 1, 4, 8, 12, 15}) {
            refused(with, with_part(v.token, 4, tag.substr(0, bytes)), Reason::jwt_malformed);
        }
        refused(with, with_part(v.token, 4, tag + "x"), Reason::jwt_malformed);
        for (const std::size_t bytes : {0, 1, 8, 11}) {
            refused(with, with_part(v.token, 2, iv.substr(0, bytes)), Reason::jwt_malformed);
        }
        refused(with, with_part(v.token, 2, iv + "x"), Reason::jwt_malformed);
        refused(with, with_part(v.token, 2, iv + std::string(40000, 'x')), Reason::jwt_malformed);
        refused(with, with_part(v.token, 3, ""), Reason::jwt_malformed);
        // An encrypted key that is empty, cut, long, or there where none may be.
        const std::string key = split(v.token)[1].empty() ? "" : part(v.token, 1);
        if (!key.empty()) {
            refused(with, with_part(v.token, 1, ""), Reason::jwt_malformed);
            refused(with, with_part(v.token, 1, key.substr(1)), Reason::jwt_malformed);
        }
        refused(with, with_part(v.token, 1, key + "x"), Reason::jwt_malformed);
        refused(with, with_part(v.token, 1, std::string(60000, 'k')), Reason::jwt_malformed);
    }
    const std::string& cbc = vectors.token("RSA-OAEP-256", "A128CBC-HS256");
    refused(decrypter(vectors.pem.at("rsa")), with_part(cbc, 3, part(cbc, 3) + "x"),
            Reason::jwt_malformed);
}
END_TEST

START_TEST(i_20_one_error_for_whatever_cannot_be_decrypted) {
    const Vectors& vectors = Vectors::read();
    const JweDecrypter with = decrypter(vectors.pem.at("rsa"));
    for (const char* enc : {"A128GCM", "A256CBC-HS512"}) {
        const std::string& token = vectors.token("RSA-OAEP-256", enc);
        std::string first;
        const std::string key = part(token, 1);
        std::string zero_key(key.size(), '\0');
        std::string wrong_tag = part(token, 4);
        wrong_tag.back() = static_cast<char>(wrong_tag.back() ^ 1);
        std::string wrong_text = part(token, 3);
        wrong_text.back() = static_cast<char>(wrong_text.back() ^ 1);
        for (const std::string& spoilt :
             {with_part(token, 1, zero_key), with_part(token, 1, std::string(key.size(), '\xff')),
              with_part(token, 1, std::string(key.rbegin(), key.rend())),
              with_part(token, 4, wrong_tag), with_part(token, 3, wrong_text),
              // A key that comes out, of another length than the content wants.
              with_part(
                  token, 1,
                  part(vectors.token("RSA-OAEP-256", enc[1] == '1' ? "A256GCM" : "A128GCM"), 1))}) {
            const auto result = opened(with, spoilt);
            ck_assert_result_is(result, Reason::jwt_decryption);
            first = first.empty() ? result.error().detail : first;
            ck_assert_sv_eq(result.error().detail, first);
        }
    }
    // Another RSA key's token.
    refused(with, forge_jwe(head(), kInside, rsa()), Reason::jwt_decryption);
    FailingRandom none;
    ck_assert_result_is(of_rsa().open(forge_jwe(head(), kInside, rsa()), kMax, none),
                        Reason::internal_error);
}
END_TEST

START_TEST(i_20_headers_that_are_refused) {
    ck_assert_sv_eq(opened(of_rsa(), forge_jwe(head(), kInside, rsa()))->view(), kInside);
    for (const char* alg :
         {"RSA1_5", "RSA-OAEP", "RSA-OAEP-512", "rsa-oaep-256", "dir", "A128KW", "A256GCMKW",
          "PBES2-HS256+A128KW", "ECDH-ES", "ECDH-ES+A192KW", "none", "RS256", ""}) {
        header_refused(
            R"({"enc":"A256GCM","p2c":2147483648,"p2s":"AAAA","alg":")" + std::string(alg) + "\"}",
            Reason::jwt_alg);
    }
    for (const char* alg : {"7", "null", "[\"RSA-OAEP-256\"]", "true"}) {
        header_refused(R"({"enc":"A256GCM","alg":)" + std::string(alg) + "}", Reason::jwt_alg);
    }
    for (const char* enc :
         {"\"A192GCM\"", "\"A192CBC-HS384\"", "\"a256gcm\"", "\"none\"", "\"\"", "null", "1"}) {
        header_refused(R"({"alg":"RSA-OAEP-256","enc":)" + std::string(enc) + "}", Reason::jwt_alg);
    }
    header_refused(R"({"alg":"RSA-OAEP-256"})", Reason::jwt_alg);
    header_refused(R"({"enc":"A256GCM"})", Reason::jwt_alg);
    for (const char* more : {R"(,"zip":"DEF")", R"(,"zip":"")", R"(,"zip":null)",
                             R"(,"crit":["exp"],"exp":1)", R"(,"crit":[])", R"(,"crit":null)"}) {
        header_refused(head(more), Reason::jwt_crit);
    }
    for (const char* more : {R"(,"cty":"JWS")", R"(,"cty":"")", R"(,"cty":"text/plain")"}) {
        header_refused(head(more), Reason::jwt_typ);
    }
    for (const char* more : {R"(,"cty":7)", R"(,"kid":null)", R"(,"kid":{"a":1})",
                             R"(,"enc":"A256GCM")", R"(,"x":[[[[[[[[[[1]]]]]]]]]])"}) {
        header_refused(head(more), Reason::jwt_malformed);
    }
    for (const char* more :
         {R"(,"cty":"JWT")", R"(,"cty":"jwt")", R"(,"cty":"application/jwt")",
          R"(,"typ":"logout+jwt","iss":"x","jwk":{"kty":"oct"},"jku":"http://e")",
          R"(,"epk":7,"apu":8,"p2c":2147483648)"}) {
        ck_assert(opened(of_rsa(), forge_jwe(head(more), kInside, rsa())).ok());
    }
    header_refused("[1]", Reason::jwt_malformed);
    header_refused("", Reason::jwt_malformed);
    header_refused(head(",\"x\":\"" + std::string(20000, 'x') + "\""), Reason::jwt_malformed);
}
END_TEST

START_TEST(i_20_the_key_is_the_one_that_is_named) {
    const std::string pem = rsa().private_pem();
    const JweDecrypter named = decrypter(pem, {}, {}, "enc-1");
    ck_assert_sv_contains(named.jwk(), R"("kid":"enc-1","use":"enc","alg":"RSA-OAEP-256"})");
    ck_assert(opened(named, forge_jwe(head(R"(,"kid":"enc-1")"), kInside, rsa())).ok());
    ck_assert(opened(named, forge_jwe(head(), kInside, rsa())).ok());
    for (const char* kid : {"enc-2", "ENC-1", "", "../enc-1", "enc-1 "}) {
        const auto result =
            opened(named, forge_jwe(head(R"(,"kid":")" + std::string(kid) + "\""), kInside, rsa()));
        ck_assert_result_is(result, Reason::jwt_decryption);
        ck_assert_sv_contains(result.error().detail, "\"enc-1\"");
    }

    // A former key is asked for by its thumbprint alone.
    const ForgeKey older = ForgeKey::rsa();
    JweDecrypter both = decrypter(pem);
    const JweDecrypter before = decrypter(older.private_pem());
    ck_assert_result_ok(both.add_former(older.private_pem()));
    const std::string kid = R"(,"kid":")" + before.thumbprint() + "\"";
    ck_assert(opened(both, forge_jwe(head(kid), kInside, older)).ok());
    refused(both, forge_jwe(head(), kInside, older), Reason::jwt_decryption);
    refused(both, forge_jwe(head(kid), kInside, rsa()), Reason::jwt_decryption);
    ck_assert(both.jwk().find(before.thumbprint()) == std::string::npos);
    // Of another kind, and a current key with an algorithm of its own.
    const Vectors& vectors = Vectors::read();
    JweDecrypter mixed = decrypter(vectors.pem.at("P-256"), JweAlg::ECDH_ES);
    ck_assert_result_ok(mixed.add_former(older.private_pem()));
    ck_assert(opened(mixed, forge_jwe(head(kid), kInside, older)).ok());
    refused(mixed, forge_jwe(head(), kInside, older), Reason::jwt_alg);
    ck_assert(opened(mixed, vectors.token("ECDH-ES", "A256GCM")).ok());
    for (const Vector& v : vectors.all) {
        if (v.key == "P-256" && v.alg != "ECDH-ES") {
            refused(mixed, v.token, Reason::jwt_alg);
        }
    }
    const Status same = both.add_former(pem);
    ck_assert_sv_contains(same.error().detail, "same key");
}
END_TEST

START_TEST(i_20_points_that_are_refused) {
    const Vectors& vectors = Vectors::read();
    const JweDecrypter with = decrypter(vectors.pem.at("P-256"));
    const std::string& token = vectors.token("ECDH-ES", "A256GCM");
    const auto epk = [&](std::string_view text) {
        refused(
            with,
            with_part(token, 0, R"({"alg":"ECDH-ES","enc":"A256GCM")" + std::string(text) + "}"),
            Reason::jwt_malformed);
    };
    const ForgeKey other = ForgeKey::ec("P-384");
    const std::string x(32, '\1');
    const auto point = [](std::string_view crv, std::string_view x, std::string_view y) {
        return R"(,"epk":{"kty":"EC","crv":")" + std::string(crv) + R"(","x":")" + b64(x) +
               R"(","y":")" + b64(y) + "\"}";
    };
    epk("");
    epk(R"(,"epk":null)");
    epk(R"(,"epk":"P-256")");
    epk(R"(,"epk":{})");
    epk(R"(,"epk":{"kty":"OKP","crv":"X25519","x":"AQ"})");
    epk(",\"epk\":" + other.jwk());
    epk(",\"epk\":" + rsa().jwk());
    epk(point("P-256", x, x));  // not on the curve
    epk(point("P-256", std::string(32, '\0'), std::string(32, '\0')));
    epk(point("P-256", std::string(32, '\xff'), std::string(32, '\xff')));
    epk(point("P-256", x.substr(1), x));
    epk(point("P-256", "\0" + x, x));
    epk(point("P-384", std::string(48, '\1'), std::string(48, '\1')));
    epk(R"(,"epk":{"kty":"EC","crv":"P-256","x":")" + std::string(20000, 'A') + R"(","y":"AQ"})");
    // The point of the token with the other root, and one of the curve's twist by chance.
    const std::string good = ForgeKey::ec("P-256").members();
    for (const char* more : {R"(,"apu":7)", R"(,"apv":"*")", R"(,"apv":"A")"}) {
        epk(",\"epk\":{" + good + "}" + more);
    }
    epk(",\"epk\":{" + good + R"(},"apu":")" + std::string(1000, 'A') + "\"");
    // Another key of the same curve is no error of the header.
    refused(with, with_part(token, 0, R"({"alg":"ECDH-ES","enc":"A256GCM","epk":{)" + good + "}}"),
            Reason::jwt_decryption);
    refused(decrypter(vectors.pem.at("P-384")), token, Reason::jwt_malformed);
}
END_TEST

START_TEST(i_20_what_is_inside) {
    for (const std::string& inside : {std::string("{}"), std::string("a.b"), std::string("a.b.c.d"),
                                      std::string(" "), forge_jwe(head(), kInside, rsa())}) {
        refused(of_rsa(), forge_jwe(head(), inside, rsa()), Reason::jwt_malformed);
    }
    for (const char* text : {"", "....", "a.b.c.d", "a.b.c.d.e.f", "a..c.d.e", "a.b.c.d.e",
                             ".b.c.d.e", "\n....", "e30....."}) {
        const auto result = opened(of_rsa(), text);
        ck_assert(!result.ok() && (result.error().reason == Reason::jwt_malformed ||
                                   result.error().reason == Reason::jwt_alg));
    }
    const std::string token = forge_jwe(head(), kInside, rsa());
    ck_assert(opened(of_rsa(), token, token.size()).ok());
    ck_assert_result_is(opened(of_rsa(), token, token.size() - 1), Reason::jwt_malformed);
    for (const char* junk : {"=", "\n", " ", "*"}) {
        auto parts = split(token);
        for (std::string& each : parts) {
            each += junk;
            refused(of_rsa(), joined(parts), Reason::jwt_malformed);
            each.pop_back();
        }
    }
}
END_TEST

START_TEST(keys_that_are_refused) {
    const auto problem = [](const std::string& pem, std::optional<JweAlg> alg = {}) {
        auto made = JweDecrypter::from_pem(pem, alg, {});
        ck_assert_result_is(made, Reason::malformed);
        ck_assert_uint_eq(ERR_peek_error(), 0);
        return std::string(made.error().detail);
    };
    ck_assert_sv_contains(problem("text"), "PEM");
    ck_assert_sv_contains(problem(rsa().public_pem()), "PEM");
    ck_assert_sv_contains(problem(rsa().encrypted_pem("x")), "passphrase");
    ck_assert_sv_contains(problem(ForgeKey::rsa(1024).private_pem()), "1024");
    ck_assert_sv_contains(problem(ForgeKey::ed25519().private_pem()), "neither");
    ck_assert_sv_contains(problem(ForgeKey::ec("secp256k1").private_pem()), "neither");
    ck_assert_sv_contains(problem(rsa().private_pem(), JweAlg::ECDH_ES), "ECDH-ES");
    ck_assert_sv_contains(problem(Vectors::read().pem.at("P-256"), JweAlg::RSA_OAEP_256), "RSA");
    JweDecrypter good = decrypter(rsa().private_pem());
    ck_assert_result_is(good.add_former("text"), Reason::malformed);

    for (const char* name : {"P-256", "P-384", "P-521"}) {
        const JweDecrypter made = decrypter(Vectors::read().pem.at(name));
        const auto jwk = json_parse_object(made.jwk());
        ck_assert_result_ok(jwk);
        ck_assert(json_object_get(jwk->get(), "alg") == nullptr);
        ck_assert(json_object_get(jwk->get(), "d") == nullptr);
        ck_assert_sv_eq(member_text(*jwk, "use"), "\"enc\"");
        ck_assert_sv_eq(member_text(*jwk, "kid"), "\"" + made.thumbprint() + "\"");
    }
    ProviderConfig config;
    ck_assert(!publishes_keys(config));
    ck_assert_sv_eq(published_keys(config, 0), R"({"keys":[]})");
    config.decrypter = std::make_shared<JweDecrypter>(decrypter(rsa().private_pem()));
    ck_assert_sv_eq(published_keys(config, 0), "{\"keys\":[" + config.decrypter->jwk() + "]}");
    config.client_key = std::make_shared<JwsSigner>(
        *JwsSigner::from_pem(ForgeKey::for_alg(Alg::ES256).private_pem(), {}));
    const auto jwks = json_parse_object(published_keys(config, 0));
    ck_assert_result_ok(jwks);
    ck_assert_uint_eq(json_array_size(json_object_get(jwks->get(), "keys")), 2);
    // Nobody verifies with it, a provider that reads its own clients' keys included.
    ck_assert_uint_eq(KeySet::parse(published_keys(config, 0))->size(), 1);
}
END_TEST

START_TEST(i_21_a_sign_in_with_encrypted_tokens) {
    EncryptedWorld world;
    world.config.userinfo = true;
    world.config.keep_id_token = true;
    const std::string inner = world.id_token();
    Callback callback(world);
    (void)callback.to_token();
    Step step = callback.flow.resume(world.token_response(world.sealed(inner)));
    (void)expect<Fetch>(step);
    HttpResponse info = world.jwt_response(R"({"sub":"john-id","email":"j@x"})", world.kid);
    info.body = Secret(world.sealed(info.body.view()));
    step = callback.flow.resume(std::move(info));
    const auto& store = expect<StoreSession>(step);
    const auto session = SessionView::open(store.record.view());
    ck_assert(session.has_value());
    ck_assert_sv_eq(session->claim("email").value_or(""), "j@x");
    // What goes back to the provider as a hint is the signed token (RP-Initiated Logout 2).
    ck_assert_sv_eq(session->id_token(), inner);
}
END_TEST

START_TEST(i_21_what_is_inside_is_verified_as_ever) {
    EncryptedWorld world;
    const std::string good = world.id_token();
    const auto ends_with = [&](std::string_view id_token, Reason reason) {
        Callback callback(world);
        (void)callback.to_token();
        Step step = callback.flow.resume(world.token_response(id_token));
        if (std::holds_alternative<NeedProvider>(step)) {
            step = callback.flow.resume(ProviderReady(world.provider()));
        }
        const Error& error = expect<Refuse>(step).error;
        ck_assert_msg(error.reason == reason, "%s: %s",
                      std::string(reason_info(error.reason).code).c_str(), error.detail.c_str());
        ck_assert(error.detail.find(good) == std::string::npos);
    };
    ends_with(good, Reason::jwt_not_encrypted);
    ends_with(world.sealed(good.substr(0, good.size() - 8) + "AAAAAAAA"), Reason::jwt_signature);
    ends_with(world.sealed(b64(R"({"alg":"none"})") + "." + split(good)[1] + "."), Reason::jwt_alg);
    ends_with(world.sealed(world.id_token("k2")), Reason::jwt_key_unknown);
    ends_with(world.sealed(world.id_token({}, R"(,"nonce":"another")")), Reason::id_token_nonce);
    ends_with(world.sealed(world.sealed(good)), Reason::jwt_malformed);
    ends_with(world.sealed(R"({"sub":"john-id"})"), Reason::jwt_malformed);
    ends_with(world.sealed(forge_token(R"({"alg":"ES256","kid":"k1","typ":"logout+jwt"})", "{}",
                                       Alg::ES256, World::key())),
              Reason::jwt_typ);
    // A key of the provider's cannot be what decrypts.
    ends_with(forge_jwe(head(), good, ForgeKey::rsa()), Reason::jwt_decryption);

    world.config.encryption_required = false;
    Callback plain(world);
    (void)plain.to_token();
    Step step = plain.flow.resume(world.token_response(good));
    (void)expect<StoreSession>(step);
    world.config.decrypter.reset();
    ends_with(world.sealed(good), Reason::jwt_encrypted);
}
END_TEST

START_TEST(i_21_newer_keys_for_what_was_inside) {
    EncryptedWorld world;
    world.config.userinfo = true;
    const std::string id_token = world.id_token();
    world.kid = "old";  // until newer keys are fetched
    Callback callback(world);
    (void)callback.to_token();
    Step step = callback.flow.resume(world.token_response(world.sealed(id_token)));
    ck_assert(expect<NeedProvider>(step).cause == NeedProvider::Cause::key_unknown);
    world.kid = "k1";
    ++world.generation;
    step = callback.flow.resume(ProviderReady(world.provider()));
    (void)expect<Fetch>(step);
    HttpResponse info = world.jwt_response(R"({"sub":"john-id"})", "k2");
    info.body = Secret(world.sealed(info.body.view()));
    step = callback.flow.resume(std::move(info));
    (void)expect<NeedProvider>(step);
    world.kid = "k2";
    ++world.generation;
    step = callback.flow.resume(ProviderReady(world.provider()));
    (void)expect<StoreSession>(step);

    // The words of a refusal say where it was.
    Callback other(world);
    (void)other.to_token();
    step = other.flow.resume(world.token_response(world.sealed(world.id_token())));
    (void)expect<Fetch>(step);
    HttpResponse spoilt = json_response(world.sealed("{\"sub\":\"john-id\"}"));
    spoilt.content_type = "application/jwt";
    step = other.flow.resume(std::move(spoilt));
    ck_assert_sv_contains(expect<Refuse>(step).error.detail, "userinfo: the encrypted token");
}
END_TEST

START_TEST(i_21_encrypted_logout_tokens) {
    EncryptedWorld world;
    const std::string token = forge_token(
        R"({"alg":"ES256","kid":"k1","typ":"logout+jwt"})",
        R"({"iss":"https://op.example","aud":"espocrm","sid":"sid-1","jti":"j","iat":)" +
            std::to_string(kNow) + R"(,"exp":)" + std::to_string(kNow + 60) +
            R"(,"events":{"http://schemas.openid.net/event/backchannel-logout":{}}})",
        Alg::ES256, World::key());
    const auto result = [&world](std::string text, bool old_keys = false) {
        BackchannelFlow flow(world.config, world.fake.ports(), std::move(text));
        (void)flow.start();
        world.kid = old_keys ? "old" : "k1";
        Step step = flow.resume(ProviderReady(world.provider()));
        world.kid = "k1";
        if (old_keys) {
            (void)expect<NeedProvider>(step);
            step = flow.resume(ProviderReady(world.provider()));
        }
        return step;
    };
    for (const std::string& text : {token, world.sealed(token)}) {
        for (const bool old_keys : {false, true}) {
            Step step = result(text, old_keys);
            ck_assert_sv_eq(expect<EndSessions>(step).sid, "sid-1");
        }
    }
    const auto refusal = [&](const std::string& text) {
        Step step = result(text);
        return expect<Refuse>(step).error.reason;
    };
    ck_assert(refusal(world.sealed(world.id_token({}, R"(,"jti":"j2")"))) ==
              Reason::logout_token_events);
    ck_assert(refusal(forge_jwe(head(), token, ForgeKey::rsa())) == Reason::logout_token_malformed);
    ck_assert(refusal(forge_jwe(head(R"(,"zip":"DEF")"), token, rsa())) ==
              Reason::logout_token_malformed);
    ck_assert(refusal(forge_jwe(R"({"alg":"RSA1_5","enc":"A256GCM"})", token, rsa())) ==
              Reason::logout_token_alg);
    world.config.decrypter.reset();
    ck_assert(refusal(world.sealed(token)) == Reason::logout_token_malformed);
}
END_TEST

static Suite* jwe_suite() {
    Suite* suite = suite_create("jwe");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, i_21_tokens_of_other_implementations);
    tcase_add_test(tcase, i_20_lengths_are_those_of_the_algorithms);
    tcase_add_test(tcase, i_20_one_error_for_whatever_cannot_be_decrypted);
    tcase_add_test(tcase, i_20_headers_that_are_refused);
    tcase_add_test(tcase, i_20_the_key_is_the_one_that_is_named);
    tcase_add_test(tcase, i_20_points_that_are_refused);
    tcase_add_test(tcase, i_20_what_is_inside);
    tcase_add_test(tcase, keys_that_are_refused);
    tcase_add_test(tcase, i_21_a_sign_in_with_encrypted_tokens);
    tcase_add_test(tcase, i_21_what_is_inside_is_verified_as_ever);
    tcase_add_test(tcase, i_21_newer_keys_for_what_was_inside);
    tcase_add_test(tcase, i_21_encrypted_logout_tokens);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration jwe_registered("jwe", jwe_suite);
