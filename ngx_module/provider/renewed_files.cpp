// SPDX-License-Identifier: Apache-2.0
#include "provider/renewed_files.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/ports_ngx.hpp"
#include "config/places.hpp"
#include "oidc/client_assertion.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/jwe.hpp"
#include "oidc/ptr.hpp"
#include "oidc/signer.hpp"
#include "oidc/text.hpp"

namespace oidc::ngx {

namespace {

constexpr ngx_msec_t kEvery = 10 * 1000;
// A file that was written a moment ago may be written on: it is left until it has rested.
constexpr Seconds kRest = 2;
constexpr ngx_msec_t kAfterRest = 2 * 1000;

std::string named(const RenewedFile& file, const Provider& provider) {
    return in_quotes(file.directive) + " " + in_quotes(file.path) + " of " + label(provider);
}

// Where a shorter one would not do what the one in use does.
bool needs_long_secret(const ProviderConfig& config) noexcept {
    return config.client_secret.size() >= kMinHmacSecret &&
           (config.client_auth == ClientAuth::automatic ||
            std::any_of(config.id_token_algs.begin(), config.id_token_algs.end(),
                        alg_is_symmetric));
}

class Look {
  public:
    explicit Look(ngx_log_t* log) noexcept : log_(log) {}
    // True: it is to be looked at again when it has rested.
    bool at(Provider& provider, RenewedFile& file);
    void note_expiry(const Provider& provider, RenewedFile& file);

  private:
    void trouble(const Provider& provider, RenewedFile& file, std::string what, ngx_err_t err = 0);
    std::optional<Error> take(Provider& provider, const RenewedFile& file, const ReadFile& read);

    NgxLog log_;
    // All workers see the same: the first one says it to the operator. One that shuts down has a
    // successor who does.
    bool speaks_ = ngx_worker == 0 && ngx_exiting == 0;
    Seconds now_ = ngx_time();
    bool taken_ = false;
};

// Once for each thing that is wrong, not every time that it is looked at.
void Look::trouble(const Provider& provider, RenewedFile& file, std::string what, ngx_err_t err) {
    if (err != 0) {
        u_char reason[NGX_MAX_ERROR_STR];
        const u_char* end = ngx_strerror(err, reason, sizeof(reason));
        what.append(" (").append(reinterpret_cast<char*>(reason), end - reason).append(")");
    }
    if (file.trouble == what) {
        return;
    }
    log_.write(speaks_ ? LogLevel::error : LogLevel::info,
               named(file, provider) +
                   " is not read again, what was read before goes on being used: " + what);
    file.trouble = std::move(what);
}

// Errors: why what the file holds is of no use.
std::optional<Error> Look::take(Provider& provider, const RenewedFile& file, const ReadFile& read) {
    ProviderConfig& config = provider.config;
    const std::string_view text = read.content.view();
    switch (file.kind) {
        case RenewedFile::Kind::secret: {
            Result<Secret> secret = read_client_secret(text, config.client_auth);
            if (!secret) {
                return std::move(secret).error();
            }
            if (secret->size() < kMinHmacSecret && needs_long_secret(config)) {
                return fail(Reason::malformed, "it is shorter than the " +
                                                   std::to_string(kMinHmacSecret) +
                                                   " characters that HS256 needs");
            }
            taken_ = renew_secret(config, *std::move(secret), now_);
            break;
        }
        case RenewedFile::Kind::key: {
            Result<JwsSigner> signer = JwsSigner::from_pem(text, file.alg);
            if (!signer) {
                return std::move(signer).error();
            }
            if (config.decrypter != nullptr && config.decrypter->has(signer->thumbprint())) {
                return fail(Reason::malformed,
                            "it is a key of id_token_encryption_key: a key that signs must not "
                            "decrypt");
            }
            taken_ = renew_key(config, std::make_shared<const JwsSigner>(*std::move(signer)), now_);
            break;
        }
        case RenewedFile::Kind::assertion: {
            Result<FileAssertion> assertion = read_file_assertion(text);
            if (!assertion) {
                return std::move(assertion).error();
            }
            taken_ = renew_assertion(config, *std::move(assertion), now_);
            break;
        }
    }
    return std::nullopt;
}

bool Look::at(Provider& provider, RenewedFile& file) {
    const std::optional<FileStamp> stamp = stamp_of(file.path);
    if (!stamp) {
        trouble(provider, file, "it cannot be looked at", ngx_errno);
        return false;
    }
    if (*stamp == file.stamp) {
        file.seen = true;
        if (!file.trouble.empty()) {
            file.trouble.clear();
            log_.write(speaks_ ? LogLevel::notice : LogLevel::info,
                       named(file, provider) + " is there again as it was");
        }
        return false;
    }
    const Seconds age = now_ - stamp->changed_at();
    if (age > -kRest && age < kRest) {
        return true;
    }
    const ReadFile read = read_regular_file(file.path, file.max);
    if (read.problem != nullptr) {
        trouble(provider, file, std::string("it ") + read.problem, read.err);
        return false;
    }
    taken_ = false;
    if (std::optional<Error> error = take(provider, file, read)) {
        trouble(provider, file, std::move(error->detail));
        return false;
    }
    file.stamp = read.stamp;
    file.trouble.clear();
    file.expiry_told = false;
    if (taken_ && !file.seen) {
        forget_former(provider.config, file.kind);
        log_.write(
            speaks_ ? LogLevel::notice : LogLevel::info,
            named(file, provider) +
                " was renewed before this process has looked at it, what it held just before "
                "is not known");
    } else if (taken_) {
        log_.write(speaks_ ? LogLevel::notice : LogLevel::info,
                   named(file, provider) +
                       " was renewed, what it held before is tried as well for " +
                       std::to_string(kFormerLife) + " seconds");
    }
    file.seen = true;
    return false;
}

// Nobody can sign in then, and nobody but the program that should have renewed it can help.
void Look::note_expiry(const Provider& provider, RenewedFile& file) {
    const Seconds expires = provider.config.renewed->assertion.expires;
    if (file.kind == RenewedFile::Kind::assertion && expires != 0 && expires <= now_ &&
        !file.expiry_told) {
        file.expiry_told = true;
        log_.write(speaks_ ? LogLevel::error : LogLevel::info,
                   named(file, provider) + " has an assertion that expired at " +
                       std::to_string(expires) +
                       ", nobody can sign in until it is renewed: look at the program that writes "
                       "it");
    }
}

}  // namespace

RenewedFiles::RenewedFiles(MainConf& conf, ngx_log_t* log) noexcept
    : timer_(this, on_timer, log), log_(log) {
    if (std::any_of(conf.providers.begin(), conf.providers.end(),
                    [](const auto& provider) { return !provider->renewed.empty(); })) {
        look(conf);
    }
}

// Of the configuration that runs now: a single process goes on through reloads.
void RenewedFiles::on_timer(ngx_event_t* event) noexcept {
    auto& self = WorkerEvent::of<RenewedFiles>(event);
    if (MainConf* conf = running_main_conf()) {
        self.look(*conf);
    } else {
        self.timer_.set(kEvery);
    }
}

void RenewedFiles::look(MainConf& conf) noexcept {
    const OpensslErrorGuard guard;
    bool restless = false;
    try {
        Look look(log_);
        for (const auto& provider : conf.providers) {
            for (RenewedFile& file : provider->renewed) {
                restless = look.at(*provider, file) || restless;
                look.note_expiry(*provider, file);
            }
            if (provider->config.renewed != nullptr) {
                drop_ended(provider->config, ngx_time());
            }
        }
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, log_, 0, "oidc: no memory to read a file that was renewed");
    }
    timer_.set(restless ? kAfterRest : kEvery);
}

}  // namespace oidc::ngx
