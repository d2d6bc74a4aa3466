// SPDX-License-Identifier: Apache-2.0
// Encrypted tokens for two keys of ours. An input that begins with "{" is a header, and the other
// four segments behind a line end; anything else is a token as it comes. The keys are those of
// t/unit/jwe_vectors.txt, whose tokens are in the corpus: what opens is one of them.
#include <algorithm>
#include <array>

#include "fuzz.hpp"
#include "oidc/encode.hpp"
#include "oidc/jwe.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

constexpr std::string_view kRsa =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCUEadgWGuU5lKc\n"
    "eHvshWL+yaUqgQVG5DeXSPwfBLDA6LDOwPG71CIV2AkW6Q7pbEhOdmCu/mZ+Xke2\n"
    "aa9mWlw6DgrhyzJepJXpgd5PtKl10Dbrzm9Uo2esjUQREZhtEVM0rB4e0sEC+27/\n"
    "CnuvGpT6xoJ/7FveFlIlTzfUUF+7y6p8lGRl5kANUOXLz8uFKepS+RISOU86v7O7\n"
    "g0TYQGRfdHCSfVg1XgsyStL3hTCw3riTA8oPElDl2yb0EbEtjCcTSI4+waQRSMGA\n"
    "ASk2yY5kIMWZikDp79qdnEEDUNZdO0Wf8IFYZt2YvFyCOVxizO5lUM8ivdoApcak\n"
    "MwaEm105AgMBAAECggEAJ/K5Xy+L2vDnEesZuB7mrgoWQyjrFQzGiMz6pJ292FYP\n"
    "OcDplzzs80rFbQZ07Po3ad/bRutBGM/z9h1+YpV3c3xNaEzLqqgqAAV3Rrbdz3jd\n"
    "EHKyK7ooYu/8EMTYBHkbo0bam4NN6rGOaUXZR81aq2v6Umwg/wKzp/g+/kuvAHnR\n"
    "1wvW2CKYVfvY4rGIKPwc1kHaAdCvUMAWASrNApvP/DNM/8Z3TSmFnchHUzWCJ2M2\n"
    "JHdHGypF4H729Ud8Y/75eNtq5SOtFMVzksh8buRBZrsss0W5ntaQSrP0wQgU2Eeu\n"
    "X6v++2b2ufGSaQKT+fzVf1RmLFxAGuDwrFNDptvhdwKBgQDD5fuzU0rX4p1y2dGN\n"
    "b6JPkx88vassbJ3wosVofZA91y6LDDRusFmmtd5podb4pCEl1hmZ4HMoacT5yukM\n"
    "+cR/KA0X1wrmx6iOC0vKVhwTzJc+StPSKG7ygRTZTCD1uBG563TjqD7Ll3qF0Lii\n"
    "jqleyGBkcyAEK2z1BlB124RqwwKBgQDBfxwg1tHAhSjQGUnqgdpsb1OV7yVJ5dlU\n"
    "hXhXETwEkNcRlqc1fkIf2p1Ck3+fRmypAM/9DWyqATI4xNiNN9JDB0zegQrzK3Wk\n"
    "2smjI0wdVFeBsqajZCa9kexr76twJIdKjAvriGKXF3+6jas/ygklNXajiB7cMb0D\n"
    "YAxzklRAUwKBgDQBO96RQA8rs8ynkn/PoPErB2HioCx88TjOnUVt//rKwypapRi1\n"
    "bDdblJ3KPv1m5P3cZpN5CFk0Kvx9J30wWT/AbClmBxjY7CA5U3d1gKKo74Wz66Og\n"
    "5EMwjU5abW2N3fbTUQaWxYTaw8X+cOWGpePpod1IyrkQpi4t7PI8wlxtAoGAYib0\n"
    "QcQ2ig4B8e2iDQ7pmW+vWrMAm0e4wqMhtCjN5RMDxaxCDWSKblYax5bCeizjGaeL\n"
    "2bVhlasdqqZPovLZ+Z5OY9/ZihhViNZiyhoxlf8elG/nD6LR8/99ihL9R9l/t1Tr\n"
    "BwMb38DPzfXnFGiL0xAXqkR2QwQH+RpTtpxXmHkCgYAkBt608XjoTHnk0yKXFJDs\n"
    "4aTJr8jeC2rU+EGHmUZqtC4l3laVpaBO+EOoxHuzpnhoL7fy43BKI+E7I9cqtMmi\n"
    "X8VvtYsFdsxsmGkgkt1o8/Y4i/ggzy38GJnJCZObfb4kBvsxtaCQWObRSdeAhnZZ\n"
    "eCpsCQvbHxAJ0pKogz14JA==\n"
    "-----END PRIVATE KEY-----\n";
constexpr std::string_view kP256 =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHtebw9ttUmeSE07S\n"
    "M+FlswkiBFJgTIwtRHsiuUFbUVahRANCAASTa/3/Cuv/V0uhwGrKiHf9kcVM8gu3\n"
    "1UqdgazxIL4rODl1rcSZHUSmK72/VgA1YIuL2eUYfa9nJzfcf/AT5XMJ\n"
    "-----END PRIVATE KEY-----\n";
constexpr std::string_view kInside = "aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl";
constexpr std::size_t kMax = 64 * 1024;

struct Fixed {
    std::array<JweDecrypter, 2> keys{made(kRsa), made(kP256)};

    static JweDecrypter made(std::string_view pem) {
        Result<JweDecrypter> key = JweDecrypter::from_pem(pem, {}, {});
        promise(key.ok(), "the keys are good");
        return *std::move(key);
    }
};

bool is_expected(Reason reason) {
    constexpr std::array<Reason, 5> kReasons{Reason::jwt_malformed, Reason::jwt_alg,
                                             Reason::jwt_crit, Reason::jwt_typ,
                                             Reason::jwt_decryption};
    return std::find(kReasons.begin(), kReasons.end(), reason) != kReasons.end();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Fixed fixed;
    const std::string_view input = text_of(data, size);
    std::string token(input);
    if (input.starts_with('{')) {
        const std::size_t end = std::min(input.find('\n'), input.size());
        token = base64url_encode(as_bytes(input.substr(0, end))) + "." +
                std::string(input.substr(std::min(end + 1, input.size())));
    }
    FixedRandom random;
    for (const JweDecrypter& key : fixed.keys) {
        const Result<Secret> opened = key.open(token, kMax, random);
        if (opened) {
            promise(opened->view() == kInside, "a token that nobody has made");
            promise(is_encrypted(token) && token.size() <= kMax, "five segments, bounded");
        } else {
            promise(is_expected(opened.error().reason), "a reason of its own");
            promise(opened.error().detail.size() < 100'000, "bounded words");
        }
    }
    return 0;
}
