// SPDX-License-Identifier: Apache-2.0
// Italian, with Lei.
#include "oidc/page_texts.hpp"

namespace oidc {

using enum Reason;

constexpr PageTexts kTextsIt{
    .problem = "Problema di accesso",
    .signed_out_title = "Sessione chiusa",
    .one_moment = "Un momento",
    .sign_in = "Accedi",
    .sign_in_again = "Accedi di nuovo",
    .sign_out = "Esci",
    .sign_out_there = "Esci anche dal servizio",
    .start_again = "Ricomincia",
    .go_on = "Continua",
    .reference = "Riferimento per l’amministratore:",
    .signed_out = "La sessione è stata chiusa.",
    .close_browser = "Se altre persone usano questo computer, chiuda ora il browser.",
    .signed_out_here = "La sessione su questo sito è stata chiusa.",
    .one_more_step = "Con un altro passaggio uscirà anche dal servizio di accesso.",
    .to_sign_in = "Reindirizzamento alla pagina di accesso",
    .to_page = "Reindirizzamento alla pagina",
    .if_nothing = "Se non succede nulla, usi questo pulsante.",
    .choose = "Scelga il Suo account",
    .choose_why =
        "Qui si accede con più di un servizio di accesso. Usi quello presso cui ha un account.",
    .used_last = "ultimo usato",
    .email = "Indirizzo e-mail",
    .email_unknown =
        "Nessun servizio di accesso corrisponde a questo indirizzo. Lo controlli o scelga "
        "dall’elenco.",
    .login_required = {"Non ha effettuato l’accesso, o il Suo ultimo accesso è terminato. Se ha "
                       "appena inviato qualcosa, non è arrivato.",
                       "Se ha compilato un modulo, torni prima indietro: spesso il browser "
                       "conserva ancora quanto inserito. Poi acceda e lo invii di nuovo."},
    .insufficient = {"Questa pagina richiede un accesso più recente o più sicuro del Suo. Se ha "
                     "appena inviato qualcosa, non è arrivato.",
                     "Se ha compilato un modulo, torni prima indietro: spesso il browser conserva "
                     "ancora quanto inserito. Poi acceda di nuovo e lo invii ancora una volta."},
    .cross_origin = {"Una pagina di un altro sito l’ha fatta inviare dal Suo browser. La richiesta "
                     "non è arrivata.",
                     "Se era ciò che voleva fare, apra questo sito e lo faccia qui. Se succede su "
                     "un sito di cui si fida, avvisi l’amministratore."},
    .logout_cross_site =
        {"Un link o un modulo di un altro sito ha condotto qui. La Sua sessione è ancora aperta.",
         "Se vuole uscire, usi il pulsante."},
    .initiation = {"Un altro sito, per esempio una pagina del Suo servizio di accesso, ha condotto "
                   "qui con un link che non è adatto a questo sito.",
                   "Apra direttamente questo sito e acceda qui. Se il link Le serve, dica "
                   "all’amministratore dove si trova."},
    .access_denied = {"Ha annullato, oppure il Suo servizio di accesso non ammette questo account.",
                      "Ricominci per usare un altro account. Se dovrebbe avere accesso, lo chieda "
                      "all’amministratore."},
    .stronger = {"Il Suo servizio di accesso ha consentito di entrare senza.",
                 "Configuri un secondo fattore presso il Suo servizio di accesso e ricominci. Se "
                 "ne ha già uno e non Le è stato chiesto, avvisi l’amministratore."},
    .auth_time = {"Il Suo servizio di accesso non Le ha chiesto di accedere di nuovo.",
                  "Esca dal Suo servizio di accesso e ricominci. Se succede ancora, avvisi "
                  "l’amministratore."},
    .account = {"Tutto funziona, ma questo account non è stato ammesso.",
                "Se ha più account, provi con un altro. Se dovrebbe avere accesso, lo chieda "
                "all’amministratore."},
    .browser = {"Succede quando un accesso resta aperto a lungo, viene ripreso da un segnalibro o "
                "con il pulsante Indietro, oppure quando il browser blocca i cookie.",
                "Ricominci in una sola scheda, con i cookie consentiti per questo sito."},
    .provider =
        "Questo sito ha chiesto al Suo servizio di accesso chi è Lei e non ha ricevuto nessuna "
        "risposta che potesse accettare. Qui l’accesso non è stato effettuato.",
    .wait = "Attenda un minuto e ricominci. Se succede ancora, avvisi l’amministratore.",
    .no_use_waiting =
        "Ricominci una volta. Se succede ancora, attendere non servirà: avvisi l’amministratore.",
    .misfit = {"Questo sito e il Suo servizio di accesso non sono configurati per funzionare "
               "insieme. Lei non ha sbagliato nulla.",
               "Avvisi l’amministratore, che può rimediare."},
    .server = "Non è stato possibile completare la richiesta. Lei non ha sbagliato nulla.",
    .sign_in_there_title = "Il Suo servizio di accesso ha prima bisogno di Lei.",
    .sign_in_there =
        {"Il Suo servizio di accesso vuole prima chiederLe qualcosa, per esempio di accedere, di "
         "scegliere un account o di dare il consenso, e non gli è stato permesso.",
         "Apra il Suo servizio di accesso in un’altra scheda e acceda lì. Poi ricominci. Se "
         "succede ancora, avvisi l’amministratore."},
    .stronger_there = {"Il Suo servizio di accesso non consente di accedere in quel modo.",
                       "Configuri un secondo fattore presso il Suo servizio di accesso e "
                       "ricominci. Se ne ha già uno, avvisi l’amministratore."},
    .later_title = "Il Suo servizio di accesso al momento non è disponibile.",
    .later = {"È sovraccarico o in manutenzione. La causa non è il Suo account.",
              "Attenda qualche minuto e ricominci."},
    .again_later_title = "Qualcosa non ha funzionato nel Suo servizio di accesso.",
    .again_later =
        "Lo segnala il servizio stesso. Lei non ha sbagliato nulla, e qui l’accesso non è stato "
        "effettuato.",
    .not_taken_title = "Il Suo servizio di accesso non ha accettato la richiesta di questo sito.",
};

constexpr PageTitles kTitlesIt{{
    {internal_error, "Qualcosa non ha funzionato su questo server."},
    {store_full, "In questo momento hanno effettuato l’accesso troppe persone."},
    {store_unavailable, "Questo server al momento non può verificare chi ha effettuato l’accesso."},
    {store_unsupported,
     "Questo server conserva le sessioni nei browser e quindi non può elencarle; un archivio di "
     "sessioni di altro tipo può farlo."},
    {session_too_large,
     "Il Suo account contiene più informazioni di quante questo server possa conservare."},
    {assertion_too_large,
     "Il Suo account contiene più informazioni di quante se ne possano comunicare "
     "all’applicazione."},
    {login_required, "Acceda per vedere questa pagina."},
    {insufficient_user_authentication,
     "Acceda di nuovo, o in modo più sicuro, per vedere questa pagina."},
    {not_permitted, "Il Suo account non è autorizzato a vedere questa pagina."},
    {cross_origin_request, "Un altro sito ha inviato questa richiesta a Suo nome."},
    {callback_method, "Questa pagina non può essere usata in questo modo."},
    {callback_malformed, "La risposta di accesso portata dal Suo browser non è leggibile."},
    {callback_too_large, "La risposta di accesso portata dal Suo browser è troppo grande."},
    {callback_not_https, "Per accedere serve una connessione sicura (https)."},
    {initiation_malformed, "Il link che ha condotto qui non può essere usato per accedere."},
    {initiation_issuer, "Il link che ha condotto qui appartiene a un altro servizio di accesso."},
    {state_missing, "Questo accesso non è stato iniziato in questo browser."},
    {state_unknown, "Questo accesso non è stato iniziato in questo browser."},
    {state_expired, "Questo accesso ha richiesto troppo tempo ed è scaduto."},
    {state_replayed, "Questo accesso è già stato usato."},
    {issuer_missing, "La risposta di accesso non dice da quale servizio proviene."},
    {issuer_mix_up,
     "La risposta di accesso proviene da un servizio diverso da quello interpellato."},
    {response_unsigned, "La risposta di accesso non è firmata, benché questo sito lo richieda."},
    {response_signature, "La risposta di accesso non ha una firma valida."},
    {response_aud, "La risposta di accesso è destinata a un altro sito."},
    {response_exp, "La risposta di accesso è scaduta."},
    {logout_cross_site,
     "Un altro sito ha tentato di chiudere la Sua sessione, quindi non è stato fatto nulla."},
    {logout_malformed, "La richiesta di uscita non è comprensibile."},
    {logout_too_large, "La richiesta di uscita è troppo grande."},
    {access_denied, "L’accesso è stato annullato o non è stato consentito."},
    {idp_error, "Il servizio di accesso ha segnalato un errore."},
    {idp_connect, "Il servizio di accesso non è raggiungibile."},
    {idp_timeout, "Il servizio di accesso ha impiegato troppo tempo a rispondere."},
    {idp_tls, "La connessione con il servizio di accesso non è sicura, quindi non è stata usata."},
    {idp_http, "Il servizio di accesso ha dato una risposta non leggibile."},
    {idp_too_large, "Il servizio di accesso ha inviato troppi dati."},
    {idp_redirect, "Il servizio di accesso si è trasferito a un altro indirizzo."},
    {idp_busy, "In questo momento stanno accedendo troppe persone."},
    {metadata_unavailable, "Non è possibile ottenere le impostazioni del servizio di accesso."},
    {metadata_invalid, "Non è possibile usare le impostazioni del servizio di accesso."},
    {metadata_issuer, "Il servizio di accesso non ha il nome che questo sito si aspetta."},
    {jwks_unavailable, "Non è possibile ottenere le chiavi del servizio di accesso."},
    {jwks_invalid, "Non è possibile usare le chiavi del servizio di accesso."},
    {par_status, "Il servizio di accesso non ha avviato l’accesso."},
    {par_malformed, "Il servizio di accesso ha dato una risposta non leggibile."},
    {par_error, "Il servizio di accesso non ha accettato la richiesta di questo sito."},
    {token_status, "Il servizio di accesso non ha completato l’accesso."},
    {token_malformed, "Il servizio di accesso ha dato una risposta non leggibile."},
    {token_error, "Il servizio di accesso non ha completato l’accesso."},
    {code_refused, "Il Suo servizio di accesso non accetta più questo accesso."},
    {token_client_auth, "Il servizio di accesso non riconosce questo sito."},
    {token_type,
     "Il servizio di accesso ha inviato un tipo di token che questo sito non può usare."},
    {token_no_id_token, "Il servizio di accesso non ha detto chi è Lei."},
    {jwt_malformed, "La prova della Sua identità non è leggibile."},
    {jwt_encrypted, "La prova della Sua identità è cifrata per un altro destinatario."},
    {jwt_not_encrypted,
     "La prova della Sua identità non è cifrata, benché questo sito lo richieda."},
    {jwt_decryption, "La prova della Sua identità non può essere decifrata."},
    {jwt_alg, "La prova della Sua identità è firmata in un modo che questo sito non accetta."},
    {jwt_crit, "La prova della Sua identità contiene condizioni che questo sito non conosce."},
    {jwt_typ,
     "Il servizio di accesso ha inviato qualcosa di diverso da una prova della Sua identità."},
    {jwt_key_unknown, "La prova della Sua identità è firmata con una chiave sconosciuta."},
    {jwt_signature, "La prova della Sua identità non ha una firma valida."},
    {id_token_iss,
     "La prova della Sua identità proviene da un servizio diverso da quello previsto."},
    {id_token_aud, "La prova della Sua identità è destinata a un altro sito."},
    {id_token_azp, "La prova della Sua identità è destinata a un altro sito."},
    {id_token_exp, "La prova della Sua identità è scaduta."},
    {id_token_nbf, "La prova della Sua identità non è ancora valida."},
    {id_token_iat, "La prova della Sua identità non è stata emessa in un momento credibile."},
    {id_token_nonce, "La prova della Sua identità non appartiene a questo accesso."},
    {id_token_sub, "La prova della Sua identità non dice chi è Lei."},
    {id_token_at_hash, "Le parti della risposta di accesso non corrispondono tra loro."},
    {id_token_c_hash, "Le parti della risposta di accesso non corrispondono tra loro."},
    {id_token_auth_time, "Il Suo ultimo accesso è troppo lontano nel tempo per questo sito."},
    {id_token_acr,
     "Questo sito richiede un accesso più sicuro, per esempio con un secondo fattore."},
    {id_token_claim, "La prova della Sua identità contiene dati non utilizzabili."},
    {logout_token_malformed, "Il token di uscita non è leggibile."},
    {logout_token_alg, "Il token di uscita è firmato in un modo che questo sito non accetta."},
    {logout_token_typ, "Ciò che è stato inviato non è un token di uscita."},
    {logout_token_signature, "Il token di uscita non ha una firma valida."},
    {logout_token_iss, "Il token di uscita proviene da un servizio diverso da quello previsto."},
    {logout_token_aud, "Il token di uscita è destinato a un altro sito."},
    {logout_token_exp, "Il token di uscita è scaduto."},
    {logout_token_iat, "Il token di uscita non è stato emesso in un momento credibile."},
    {logout_token_jti, "Il token di uscita non ha un identificativo."},
    {logout_token_replayed, "Il token di uscita è già stato usato."},
    {logout_token_events, "Il token di uscita non dice che qualcuno è uscito."},
    {logout_token_sub, "Il token di uscita non dice chi è uscito."},
    {logout_token_nonce, "Il token di uscita contiene un nonce, che non deve avere."},
    {refresh_denied, "Il Suo accesso presso il servizio di accesso è terminato."},
    {revocation_failed, "Il servizio di accesso non ha revocato i suoi token."},
    {userinfo_status, "Il servizio di accesso non ha inviato i dati del Suo account."},
    {userinfo_denied,
     "Il servizio di accesso non permette a questo sito di vedere i dati del Suo account."},
    {userinfo_malformed, "I dati del Suo account non sono leggibili."},
    {userinfo_sub, "Il servizio di accesso ha inviato i dati di un altro account."},
    {username_missing,
     "Il Suo account presso il servizio di accesso non ha un nome utente per questo sito."},
    {malformed, "La richiesta non è comprensibile."},
    {too_large, "La richiesta è troppo grande."},
    {claim_source_failed,
     "Un servizio di cui questo sito ha bisogno non ha confermato dati del Suo account."},
    {tenant_unlisted, "Gli account della Sua organizzazione non consentono di accedere qui."},
}};
static_assert(are_in_order(kTitlesIt), "titles stand in the order of the enum");

}  // namespace oidc
