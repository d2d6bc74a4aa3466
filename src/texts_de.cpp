// SPDX-License-Identifier: Apache-2.0
// German, with Sie.
#include "oidc/page_texts.hpp"

namespace oidc {

using enum Reason;

constexpr PageTexts kTextsDe{
    .problem = "Problem bei der Anmeldung",
    .signed_out_title = "Abgemeldet",
    .one_moment = "Einen Moment",
    .sign_in = "Anmelden",
    .sign_in_again = "Wieder anmelden",
    .sign_out = "Abmelden",
    .sign_out_there = "Auch dort abmelden",
    .start_again = "Noch einmal beginnen",
    .go_on = "Weiter",
    .reference = "Kennung für Ihren Administrator:",
    .signed_out = "Sie sind abgemeldet.",
    .close_browser = "Schließen Sie jetzt den Browser, wenn auch andere diesen Computer benutzen.",
    .signed_out_here = "Sie sind hier abgemeldet.",
    .one_more_step = "Mit einem weiteren Schritt melden Sie sich auch beim Anmeldedienst ab.",
    .to_sign_in = "Sie werden zur Anmeldung weitergeleitet",
    .to_page = "Sie werden zur Seite weitergeleitet",
    .if_nothing = "Wenn nichts geschieht, benutzen Sie diese Schaltfläche.",
    .choose = "Wählen Sie Ihr Konto",
    .choose_why =
        "Hierher führt mehr als ein Anmeldedienst. Benutzen Sie den, bei dem Sie ein Konto haben.",
    .used_last = "zuletzt benutzt",
    .email = "E-Mail-Adresse",
    .email_unknown =
        "Zu dieser Adresse gehört kein Anmeldedienst. Prüfen Sie sie, oder wählen Sie aus der "
        "Liste.",
    .login_required = {"Sie sind nicht angemeldet, oder Ihre letzte Anmeldung ist abgelaufen. "
                       "Falls Sie gerade etwas abgeschickt haben, ist es nicht angekommen.",
                       "Wenn Sie ein Formular ausgefüllt haben, gehen Sie zuerst zurück: Oft hat "
                       "der Browser Ihre Eingaben noch. Melden Sie sich dann an und schicken Sie "
                       "das Formular noch einmal ab."},
    .insufficient = {"Diese Seite verlangt eine neuere oder stärkere Anmeldung als Ihre. Falls Sie "
                     "gerade etwas abgeschickt haben, ist es nicht angekommen.",
                     "Wenn Sie ein Formular ausgefüllt haben, gehen Sie zuerst zurück: Oft hat der "
                     "Browser Ihre Eingaben noch. Melden Sie sich dann neu an und schicken Sie das "
                     "Formular noch einmal ab."},
    .cross_origin =
        {"Eine Seite einer anderen Website hat Ihren Browser dazu veranlasst. Die Anfrage ist "
         "nicht angekommen.",
         "Wenn Sie das tun wollten, öffnen Sie diese Website und tun Sie es dort. Geschieht es auf "
         "einer Website, der Sie vertrauen, wenden Sie sich an Ihren Administrator."},
    .logout_cross_site = {"Ein Link oder ein Formular auf einer anderen Website hat hierher "
                          "geführt. Sie sind weiterhin angemeldet.",
                          "Wenn Sie sich abmelden möchten, benutzen Sie die Schaltfläche."},
    .initiation = {"Eine andere Website, etwa eine Seite Ihres Anmeldedienstes, hat Sie mit einem "
                   "Link hierher geschickt, der nicht zu dieser Website passt.",
                   "Öffnen Sie diese Website selbst und melden Sie sich dort an. Wenn Sie den Link "
                   "brauchen, sagen Sie Ihrem Administrator, wo er steht."},
    .access_denied = {"Sie haben abgebrochen, oder Ihr Anmeldedienst lässt dieses Konto nicht zu.",
                      "Beginnen Sie noch einmal, um ein anderes Konto zu benutzen. Wenn Sie Zugang "
                      "haben sollten, bitten Sie Ihren Administrator darum."},
    .stronger = {"Ihr Anmeldedienst hat Sie ohne diese eingelassen.",
                 "Richten Sie bei Ihrem Anmeldedienst einen zweiten Faktor ein und beginnen Sie "
                 "noch einmal. Wenn Sie einen haben und nicht danach gefragt wurden, wenden Sie "
                 "sich an Ihren Administrator."},
    .auth_time = {"Ihr Anmeldedienst hat Sie nicht aufgefordert, sich neu anzumelden.",
                  "Melden Sie sich bei Ihrem Anmeldedienst ab und beginnen Sie noch einmal. "
                  "Geschieht es wieder, wenden Sie sich an Ihren Administrator."},
    .account = {"Technisch ist alles in Ordnung, aber dieses Konto wurde nicht zugelassen.",
                "Wenn Sie mehrere Konten haben, versuchen Sie es mit einem anderen. Wenn Sie "
                "Zugang haben sollten, bitten Sie Ihren Administrator darum."},
    .browser = {"Das geschieht, wenn eine Anmeldung lange offen bleibt, über ein Lesezeichen oder "
                "die Zurück-Taste fortgesetzt wird oder wenn der Browser Cookies blockiert.",
                "Beginnen Sie noch einmal in einem einzigen Tab und lassen Sie Cookies für diese "
                "Website zu."},
    .provider =
        "Diese Website hat Ihren Anmeldedienst gefragt, wer Sie sind, und keine Antwort bekommen, "
        "die sie annehmen konnte. Sie wurden hier nicht angemeldet.",
    .wait =
        "Warten Sie eine Minute und beginnen Sie noch einmal. Geschieht es wieder, wenden Sie sich "
        "an Ihren Administrator.",
    .no_use_waiting =
        "Beginnen Sie einmal von vorn. Geschieht es wieder, hilft Warten nicht: Wenden Sie sich an "
        "Ihren Administrator.",
    .misfit = {"Diese Website und Ihr Anmeldedienst sind nicht passend zueinander eingerichtet. "
               "Sie haben nichts falsch gemacht.",
               "Wenden Sie sich an Ihren Administrator, der es beheben kann."},
    .server = "Die Anfrage konnte nicht abgeschlossen werden. Sie haben nichts falsch gemacht.",
    .sign_in_there_title = "Ihr Anmeldedienst braucht zuerst etwas von Ihnen.",
    .sign_in_there = {"Ihr Anmeldedienst möchte Sie zuerst um etwas bitten, etwa sich anzumelden, "
                      "ein Konto auszuwählen oder zuzustimmen, und durfte es nicht.",
                      "Öffnen Sie Ihren Anmeldedienst in einem anderen Tab und melden Sie sich "
                      "dort an. Beginnen Sie dann noch einmal. Geschieht es wieder, wenden Sie "
                      "sich an Ihren Administrator."},
    .stronger_there =
        {"Ihr Anmeldedienst kann Sie auf diese Weise nicht anmelden.",
         "Richten Sie bei Ihrem Anmeldedienst einen zweiten Faktor ein und beginnen Sie noch "
         "einmal. Wenn Sie einen haben, wenden Sie sich an Ihren Administrator."},
    .later_title = "Ihr Anmeldedienst ist gerade nicht verfügbar.",
    .later = {"Er ist überlastet oder wird gewartet. An Ihrem Konto liegt es nicht.",
              "Warten Sie einige Minuten und beginnen Sie noch einmal."},
    .again_later_title = "Bei Ihrem Anmeldedienst ist etwas schiefgegangen.",
    .again_later =
        "Das meldet er selbst. Sie haben nichts falsch gemacht, und Sie wurden hier nicht "
        "angemeldet.",
    .not_taken_title = "Ihr Anmeldedienst hat die Anfrage dieser Website nicht angenommen.",
};

constexpr PageTitles kTitlesDe{{
    {internal_error, "Auf diesem Server ist etwas schiefgegangen."},
    {store_full, "Gerade sind zu viele Personen angemeldet."},
    {store_unavailable, "Dieser Server kann gerade nicht nachsehen, wer angemeldet ist."},
    {store_unsupported,
     "Dieser Server bewahrt seine Sitzungen in den Browsern auf und kann sie deshalb nicht "
     "auflisten; ein Sitzungsspeicher anderer Art kann es."},
    {session_too_large, "Ihr Konto enthält mehr Angaben, als dieser Server aufbewahren kann."},
    {assertion_too_large,
     "Ihr Konto enthält mehr Angaben, als der Anwendung mitgeteilt werden können."},
    {login_required, "Bitte melden Sie sich an, um diese Seite zu sehen."},
    {insufficient_user_authentication,
     "Bitte melden Sie sich neu oder auf stärkere Weise an, um diese Seite zu sehen."},
    {not_permitted, "Ihr Konto darf diese Seite nicht sehen."},
    {cross_origin_request, "Eine andere Website hat diese Anfrage in Ihrem Namen gesendet."},
    {callback_method, "Diese Seite kann so nicht benutzt werden."},
    {callback_malformed,
     "Die Antwort auf die Anmeldung, die Ihr Browser gebracht hat, ist nicht lesbar."},
    {callback_too_large,
     "Die Antwort auf die Anmeldung, die Ihr Browser gebracht hat, ist zu groß."},
    {callback_not_https, "Die Anmeldung braucht eine sichere Verbindung (https)."},
    {initiation_malformed, "Der Link, der hierher geführt hat, taugt nicht zur Anmeldung."},
    {initiation_issuer,
     "Der Link, der hierher geführt hat, gehört zu einem anderen Anmeldedienst."},
    {state_missing, "Diese Anmeldung wurde nicht in diesem Browser begonnen."},
    {state_unknown, "Diese Anmeldung wurde nicht in diesem Browser begonnen."},
    {state_expired, "Diese Anmeldung hat zu lange gedauert und ist abgelaufen."},
    {state_replayed, "Diese Anmeldung wurde schon benutzt."},
    {issuer_missing, "Die Antwort auf die Anmeldung sagt nicht, von welchem Dienst sie kommt."},
    {issuer_mix_up,
     "Die Antwort auf die Anmeldung kommt von einem anderen Dienst als dem gefragten."},
    {response_unsigned,
     "Die Antwort auf die Anmeldung ist nicht signiert, obwohl diese Website es verlangt."},
    {response_signature, "Die Antwort auf die Anmeldung hat keine gültige Signatur."},
    {response_aud, "Die Antwort auf die Anmeldung ist für eine andere Website bestimmt."},
    {response_exp, "Die Antwort auf die Anmeldung ist abgelaufen."},
    {logout_cross_site, "Eine andere Website wollte Sie abmelden, deshalb ist nichts geschehen."},
    {logout_malformed, "Die Anfrage zum Abmelden ist nicht verständlich."},
    {logout_too_large, "Die Anfrage zum Abmelden ist zu groß."},
    {access_denied, "Die Anmeldung wurde abgebrochen oder nicht erlaubt."},
    {idp_error, "Der Anmeldedienst hat einen Fehler gemeldet."},
    {idp_connect, "Der Anmeldedienst ist nicht erreichbar."},
    {idp_timeout, "Der Anmeldedienst hat zu lange nicht geantwortet."},
    {idp_tls, "Die Verbindung zum Anmeldedienst ist nicht sicher und wurde deshalb nicht benutzt."},
    {idp_http, "Der Anmeldedienst hat eine Antwort gegeben, die nicht lesbar ist."},
    {idp_too_large, "Der Anmeldedienst hat zu viele Daten gesendet."},
    {idp_redirect, "Der Anmeldedienst ist unter eine andere Adresse umgezogen."},
    {idp_busy, "Gerade melden sich zu viele Personen an."},
    {metadata_unavailable, "Die Einstellungen des Anmeldedienstes können nicht abgerufen werden."},
    {metadata_invalid, "Die Einstellungen des Anmeldedienstes sind nicht brauchbar."},
    {metadata_issuer, "Der Anmeldedienst nennt sich anders, als diese Website es erwartet."},
    {jwks_unavailable, "Die Schlüssel des Anmeldedienstes können nicht abgerufen werden."},
    {jwks_invalid, "Die Schlüssel des Anmeldedienstes sind nicht brauchbar."},
    {par_status, "Der Anmeldedienst hat die Anmeldung nicht begonnen."},
    {par_malformed, "Der Anmeldedienst hat eine Antwort gegeben, die nicht lesbar ist."},
    {par_error, "Der Anmeldedienst hat die Anfrage dieser Website nicht angenommen."},
    {token_status, "Der Anmeldedienst hat die Anmeldung nicht abgeschlossen."},
    {token_malformed, "Der Anmeldedienst hat eine Antwort gegeben, die nicht lesbar ist."},
    {token_error, "Der Anmeldedienst hat die Anmeldung nicht abgeschlossen."},
    {code_refused, "Ihr Anmeldedienst nimmt diese Anmeldung nicht mehr an."},
    {token_client_auth, "Der Anmeldedienst kennt diese Website nicht."},
    {token_type,
     "Der Anmeldedienst hat eine Art von Token gesendet, die diese Website nicht benutzen kann."},
    {token_no_id_token, "Der Anmeldedienst hat nicht gesagt, wer Sie sind."},
    {jwt_malformed, "Der Nachweis Ihrer Identität ist nicht lesbar."},
    {jwt_encrypted, "Der Nachweis Ihrer Identität ist für jemand anderen verschlüsselt."},
    {jwt_not_encrypted,
     "Der Nachweis Ihrer Identität ist nicht verschlüsselt, obwohl diese Website es verlangt."},
    {jwt_decryption, "Der Nachweis Ihrer Identität lässt sich nicht entschlüsseln."},
    {jwt_alg,
     "Der Nachweis Ihrer Identität ist auf eine Weise signiert, die diese Website nicht annimmt."},
    {jwt_crit, "Der Nachweis Ihrer Identität enthält Bedingungen, die diese Website nicht kennt."},
    {jwt_typ, "Der Anmeldedienst hat etwas anderes als einen Nachweis Ihrer Identität gesendet."},
    {jwt_key_unknown, "Der Nachweis Ihrer Identität ist mit einem unbekannten Schlüssel signiert."},
    {jwt_signature, "Der Nachweis Ihrer Identität hat keine gültige Signatur."},
    {id_token_iss, "Der Nachweis Ihrer Identität kommt von einem anderen Dienst als erwartet."},
    {id_token_aud, "Der Nachweis Ihrer Identität ist für eine andere Website bestimmt."},
    {id_token_azp, "Der Nachweis Ihrer Identität ist für eine andere Website bestimmt."},
    {id_token_exp, "Der Nachweis Ihrer Identität ist abgelaufen."},
    {id_token_nbf, "Der Nachweis Ihrer Identität ist noch nicht gültig."},
    {id_token_iat,
     "Der Nachweis Ihrer Identität wurde nicht zu einer glaubhaften Zeit ausgestellt."},
    {id_token_nonce, "Der Nachweis Ihrer Identität gehört nicht zu dieser Anmeldung."},
    {id_token_sub, "Der Nachweis Ihrer Identität sagt nicht, wer Sie sind."},
    {id_token_at_hash, "Die Teile der Antwort auf die Anmeldung gehören nicht zusammen."},
    {id_token_c_hash, "Die Teile der Antwort auf die Anmeldung gehören nicht zusammen."},
    {id_token_auth_time, "Ihre letzte Anmeldung liegt für diese Website zu lange zurück."},
    {id_token_acr,
     "Diese Website verlangt eine stärkere Anmeldung, etwa mit einem zweiten Faktor."},
    {id_token_claim, "Der Nachweis Ihrer Identität enthält Angaben, die nicht brauchbar sind."},
    {logout_token_malformed, "Das Logout-Token ist nicht lesbar."},
    {logout_token_alg,
     "Das Logout-Token ist auf eine Weise signiert, die diese Website nicht annimmt."},
    {logout_token_typ, "Was gesendet wurde, ist kein Logout-Token."},
    {logout_token_signature, "Das Logout-Token hat keine gültige Signatur."},
    {logout_token_iss, "Das Logout-Token kommt von einem anderen Dienst als erwartet."},
    {logout_token_aud, "Das Logout-Token ist für eine andere Website bestimmt."},
    {logout_token_exp, "Das Logout-Token ist abgelaufen."},
    {logout_token_iat, "Das Logout-Token wurde nicht zu einer glaubhaften Zeit ausgestellt."},
    {logout_token_jti, "Das Logout-Token hat keine Kennung."},
    {logout_token_replayed, "Das Logout-Token wurde schon benutzt."},
    {logout_token_events, "Das Logout-Token sagt nicht, dass sich jemand abgemeldet hat."},
    {logout_token_sub, "Das Logout-Token sagt nicht, wer sich abgemeldet hat."},
    {logout_token_nonce, "Das Logout-Token hat eine Nonce, die es nicht haben darf."},
    {signal_malformed, "Die Sicherheitsmeldung ist nicht lesbar."},
    {signal_too_large, "Die Sicherheitsmeldung ist zu groß."},
    {signal_bearer, "Der Absender der Sicherheitsmeldung ist hier nicht bekannt."},
    {signal_alg,
     "Die Sicherheitsmeldung ist auf eine Weise signiert, die diese Website nicht annimmt."},
    {signal_typ, "Was gesendet wurde, ist keine Sicherheitsmeldung."},
    {signal_signature, "Die Sicherheitsmeldung hat keine gültige Signatur."},
    {signal_iss, "Die Sicherheitsmeldung kommt von einem anderen Dienst als erwartet."},
    {signal_aud, "Die Sicherheitsmeldung ist für eine andere Website bestimmt."},
    {signal_exp, "Die Sicherheitsmeldung hat ein Ablaufdatum, das sie nicht haben darf."},
    {signal_iat, "Die Sicherheitsmeldung wurde nicht zu einer glaubhaften Zeit ausgestellt."},
    {signal_jti, "Die Sicherheitsmeldung hat keine Kennung."},
    {signal_events, "Die Sicherheitsmeldung sagt nicht, was geschehen ist."},
    {signal_subject, "Die Sicherheitsmeldung sagt nicht, wem es geschehen ist."},
    {refresh_denied, "Ihre Anmeldung beim Anmeldedienst ist zu Ende."},
    {revocation_failed, "Der Anmeldedienst hat seine Tokens nicht zurückgenommen."},
    {userinfo_status, "Der Anmeldedienst hat die Angaben zu Ihrem Konto nicht gesendet."},
    {userinfo_denied,
     "Der Anmeldedienst lässt diese Website die Angaben zu Ihrem Konto nicht sehen."},
    {userinfo_malformed, "Die Angaben zu Ihrem Konto sind nicht lesbar."},
    {userinfo_sub, "Der Anmeldedienst hat die Angaben zu einem anderen Konto gesendet."},
    {username_missing, "Ihr Konto beim Anmeldedienst hat keinen Benutzernamen für diese Website."},
    {malformed, "Die Anfrage ist nicht verständlich."},
    {too_large, "Die Anfrage ist zu groß."},
    {bearer_malformed, "Die Anfrage enthält ihr Zugriffstoken nicht so, wie es erwartet wird."},
    {access_token_malformed, "Das Zugriffstoken ist nicht lesbar."},
    {access_token_alg,
     "Das Zugriffstoken ist auf eine Weise signiert, die diese Website nicht annimmt."},
    {access_token_typ, "Was gesendet wurde, ist kein Zugriffstoken."},
    {access_token_signature, "Das Zugriffstoken hat keine gültige Signatur."},
    {access_token_iss, "Das Zugriffstoken kommt von einem anderen Dienst als erwartet."},
    {access_token_aud, "Das Zugriffstoken ist für eine andere Website bestimmt."},
    {access_token_exp, "Das Zugriffstoken ist abgelaufen."},
    {access_token_iat, "Das Zugriffstoken ist noch nicht gültig."},
    {access_token_claim, "Das Zugriffstoken sagt nicht, wer es sendet."},
    {access_token_binding, "Das Zugriffstoken gehört zu einem anderen Schlüssel oder Zertifikat."},
    {dpop_proof_invalid,
     "Der Nachweis, dass das Zugriffstoken dem Absender gehört, ist nicht gültig."},
    {dpop_proof_replayed,
     "Der Nachweis, dass das Zugriffstoken dem Absender gehört, wurde schon benutzt."},
    {insufficient_scope, "Das Zugriffstoken erlaubt nicht, was verlangt wurde."},
    {token_not_active, "Das Zugriffstoken ist nicht (mehr) gültig."},
    {introspection_unavailable,
     "Der Anmeldedienst kann zurzeit nicht nach dem Zugriffstoken gefragt werden."},
    {introspection_malformed,
     "Die Antwort des Anmeldedienstes zu dem Zugriffstoken ist nicht zu gebrauchen."},
    {introspection_busy, "Zurzeit werden zu viele Zugriffstoken nachgeschlagen."},
    {claim_source_failed,
     "Ein Dienst, den diese Website braucht, hat Angaben zu Ihrem Konto nicht bestätigt."},
    {tenant_unlisted, "Mit Konten Ihrer Organisation kann man sich hier nicht anmelden."},
}};
static_assert(are_in_order(kTitlesDe), "titles stand in the order of the enum");

}  // namespace oidc
