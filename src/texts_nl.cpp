// SPDX-License-Identifier: Apache-2.0
// Dutch, with u.
#include "oidc/page_texts.hpp"

namespace oidc {

using enum Reason;

constexpr PageTexts kTextsNl{
    .problem = "Probleem bij het aanmelden",
    .signed_out_title = "Afgemeld",
    .one_moment = "Een ogenblik",
    .sign_in = "Aanmelden",
    .sign_in_again = "Opnieuw aanmelden",
    .sign_out = "Afmelden",
    .sign_out_there = "Ook daar afmelden",
    .start_again = "Opnieuw beginnen",
    .go_on = "Doorgaan",
    .reference = "Kenmerk voor uw beheerder:",
    .signed_out = "U bent afgemeld.",
    .close_browser = "Sluit nu de browser als ook anderen deze computer gebruiken.",
    .signed_out_here = "U bent hier afgemeld.",
    .one_more_step = "Met nog één stap meldt u zich ook af bij de aanmelddienst.",
    .to_sign_in = "U wordt doorgestuurd naar de aanmeldpagina",
    .to_page = "U wordt doorgestuurd naar de pagina",
    .if_nothing = "Gebruik deze knop als er niets gebeurt.",
    .choose = "Kies uw account",
    .choose_why =
        "Meer dan één aanmelddienst leidt hierheen. Gebruik de dienst waar u een account hebt.",
    .used_last = "laatst gebruikt",
    .email = "E-mailadres",
    .email_unknown = "Bij dit adres hoort geen aanmelddienst. Controleer het of kies uit de lijst.",
    .login_required =
        {"U bent niet aangemeld, of uw laatste aanmelding is afgelopen. Als u zojuist iets hebt "
         "verstuurd, is het niet aangekomen.",
         "Als u een formulier hebt ingevuld, ga dan eerst terug: vaak heeft de browser nog wat u "
         "hebt ingevoerd. Meld u daarna aan en verstuur het nog een keer."},
    .insufficient =
        {"Deze pagina vraagt om een recentere of sterkere aanmelding dan de uwe. Als u zojuist "
         "iets hebt verstuurd, is het niet aangekomen.",
         "Als u een formulier hebt ingevuld, ga dan eerst terug: vaak heeft de browser nog wat u "
         "hebt ingevoerd. Meld u daarna opnieuw aan en verstuur het nog een keer."},
    .cross_origin =
        {"Een pagina van een andere website heeft uw browser het laten versturen. Het is niet "
         "aangekomen.",
         "Als dit uw bedoeling was, open dan deze site en doe het daar. Als het gebeurt op een "
         "website die u vertrouwt, neem dan contact op met uw beheerder."},
    .logout_cross_site = {"Een link of een formulier op een andere website leidde hierheen. U bent "
                          "nog steeds aangemeld.",
                          "Gebruik de knop als u zich wilt afmelden."},
    .initiation = {"Een andere website, bijvoorbeeld een pagina van uw aanmelddienst, heeft u "
                   "hierheen gestuurd met een link die niet bij deze site past.",
                   "Open deze site zelf en meld u daar aan. Als u de link nodig hebt, vertel uw "
                   "beheerder dan waar hij staat."},
    .access_denied = {"U hebt geannuleerd, of uw aanmelddienst laat dit account niet toe.",
                      "Begin opnieuw om een ander account te gebruiken. Als u toegang zou moeten "
                      "hebben, vraag uw beheerder er dan om."},
    .stronger = {"Uw aanmelddienst heeft u zonder dat toegelaten.",
                 "Stel bij uw aanmelddienst een tweede factor in en begin opnieuw. Als u er een "
                 "hebt en er niet om is gevraagd, neem dan contact op met uw beheerder."},
    .auth_time = {"Uw aanmelddienst heeft u niet gevraagd zich opnieuw aan te melden.",
                  "Meld u af bij uw aanmelddienst en begin opnieuw. Gebeurt het nog eens, neem dan "
                  "contact op met uw beheerder."},
    .account = {"Alles werkt, maar dit account is niet toegelaten.",
                "Als u meerdere accounts hebt, probeer het dan met een ander. Als u toegang zou "
                "moeten hebben, vraag uw beheerder er dan om."},
    .browser = {"Dit gebeurt als een aanmelding lang open blijft staan, wordt voortgezet vanuit "
                "een bladwijzer of met de knop Terug, of als de browser cookies blokkeert.",
                "Begin opnieuw in één tabblad, met cookies toegestaan voor deze site."},
    .provider =
        "Deze site heeft uw aanmelddienst gevraagd wie u bent, en kreeg geen antwoord dat zij kon "
        "aannemen. U bent hier niet aangemeld.",
    .wait =
        "Wacht een minuut en begin opnieuw. Gebeurt het nog eens, neem dan contact op met uw "
        "beheerder.",
    .no_use_waiting =
        "Begin één keer opnieuw. Gebeurt het nog eens, dan helpt wachten niet: neem contact op met "
        "uw beheerder.",
    .misfit = {"Deze site en uw aanmelddienst passen niet bij elkaar zoals ze zijn ingesteld. U "
               "hebt niets verkeerd gedaan.",
               "Neem contact op met uw beheerder, die het kan verhelpen."},
    .server = "Het verzoek kon niet worden voltooid. U hebt niets verkeerd gedaan.",
    .sign_in_there_title = "Uw aanmelddienst heeft u eerst nodig.",
    .sign_in_there = {"Uw aanmelddienst wil u eerst iets vragen, bijvoorbeeld om u aan te melden, "
                      "een account te kiezen of toestemming te geven, en mocht dat niet.",
                      "Open uw aanmelddienst in een ander tabblad en meld u daar aan. Begin daarna "
                      "opnieuw. Gebeurt het nog eens, neem dan contact op met uw beheerder."},
    .stronger_there = {"Uw aanmelddienst kan u niet op die manier aanmelden.",
                       "Stel bij uw aanmelddienst een tweede factor in en begin opnieuw. Als u er "
                       "een hebt, neem dan contact op met uw beheerder."},
    .later_title = "Uw aanmelddienst is op dit moment niet beschikbaar.",
    .later = {"De dienst is overbelast of in onderhoud. Het ligt niet aan uw account.",
              "Wacht enkele minuten en begin opnieuw."},
    .again_later_title = "Er is iets misgegaan bij uw aanmelddienst.",
    .again_later =
        "Dat meldt de dienst zelf. U hebt niets verkeerd gedaan, en u bent hier niet aangemeld.",
    .not_taken_title = "Uw aanmelddienst heeft het verzoek van deze site niet aangenomen.",
};

constexpr PageTitles kTitlesNl{{
    {internal_error, "Er is iets misgegaan op deze server."},
    {store_full, "Er zijn op dit moment te veel mensen aangemeld."},
    {store_unavailable, "Deze server kan op dit moment niet nagaan wie er is aangemeld."},
    {store_unsupported,
     "Deze server bewaart zijn sessies in de browsers en kan ze daarom niet opsommen; een ander "
     "type sessieopslag kan dat wel."},
    {session_too_large, "Uw account bevat meer gegevens dan deze server kan bewaren."},
    {assertion_too_large,
     "Uw account bevat meer gegevens dan aan de toepassing kunnen worden doorgegeven."},
    {login_required, "Meld u aan om deze pagina te zien."},
    {insufficient_user_authentication,
     "Meld u opnieuw of op een sterkere manier aan om deze pagina te zien."},
    {not_permitted, "Uw account mag deze pagina niet zien."},
    {cross_origin_request, "Een andere site heeft dit verzoek namens u verstuurd."},
    {callback_method, "Deze pagina kan niet op deze manier worden gebruikt."},
    {callback_malformed, "Het aanmeldantwoord dat uw browser bracht, kan niet worden gelezen."},
    {callback_too_large, "Het aanmeldantwoord dat uw browser bracht, is te groot."},
    {callback_not_https, "Voor het aanmelden is een beveiligde verbinding (https) nodig."},
    {initiation_malformed,
     "De link die hierheen leidde, kan niet worden gebruikt om aan te melden."},
    {initiation_issuer, "De link die hierheen leidde, hoort bij een andere aanmelddienst."},
    {state_missing, "Deze aanmelding is niet in deze browser begonnen."},
    {state_unknown, "Deze aanmelding is niet in deze browser begonnen."},
    {state_expired, "Deze aanmelding duurde te lang en is verlopen."},
    {state_replayed, "Deze aanmelding is al gebruikt."},
    {issuer_missing, "Het aanmeldantwoord vermeldt niet van welke dienst het komt."},
    {issuer_mix_up,
     "Het aanmeldantwoord komt van een andere dienst dan die waaraan het is gevraagd."},
    {response_unsigned, "Het aanmeldantwoord is niet ondertekend, hoewel deze site dat verlangt."},
    {response_signature, "Het aanmeldantwoord heeft geen geldige handtekening."},
    {response_aud, "Het aanmeldantwoord is voor een andere site bestemd."},
    {response_exp, "Het aanmeldantwoord is verlopen."},
    {logout_cross_site, "Een andere website probeerde u af te melden, dus is er niets gedaan."},
    {logout_malformed, "Het verzoek om af te melden is niet te begrijpen."},
    {logout_too_large, "Het verzoek om af te melden is te groot."},
    {access_denied, "De aanmelding is geannuleerd of niet toegestaan."},
    {idp_error, "De aanmelddienst meldde een fout."},
    {idp_connect, "De aanmelddienst is niet bereikbaar."},
    {idp_timeout, "De aanmelddienst deed te lang over zijn antwoord."},
    {idp_tls, "De verbinding met de aanmelddienst is niet veilig en is daarom niet gebruikt."},
    {idp_http, "De aanmelddienst gaf een antwoord dat niet kan worden gelezen."},
    {idp_too_large, "De aanmelddienst stuurde te veel gegevens."},
    {idp_redirect, "De aanmelddienst is naar een ander adres verhuisd."},
    {idp_busy, "Er melden zich op dit moment te veel mensen aan."},
    {metadata_unavailable, "De instellingen van de aanmelddienst kunnen niet worden opgehaald."},
    {metadata_invalid, "De instellingen van de aanmelddienst kunnen niet worden gebruikt."},
    {metadata_issuer, "De aanmelddienst draagt niet de naam die deze site verwacht."},
    {jwks_unavailable, "De sleutels van de aanmelddienst kunnen niet worden opgehaald."},
    {jwks_invalid, "De sleutels van de aanmelddienst kunnen niet worden gebruikt."},
    {par_status, "De aanmelddienst is niet met de aanmelding begonnen."},
    {par_malformed, "De aanmelddienst gaf een antwoord dat niet kan worden gelezen."},
    {par_error, "De aanmelddienst heeft het verzoek van deze site niet aangenomen."},
    {token_status, "De aanmelddienst heeft de aanmelding niet voltooid."},
    {token_malformed, "De aanmelddienst gaf een antwoord dat niet kan worden gelezen."},
    {token_error, "De aanmelddienst heeft de aanmelding niet voltooid."},
    {code_refused, "Uw aanmelddienst neemt deze aanmelding niet meer aan."},
    {token_client_auth, "De aanmelddienst herkent deze site niet."},
    {token_type, "De aanmelddienst stuurde een soort token dat deze site niet kan gebruiken."},
    {token_no_id_token, "De aanmelddienst heeft niet gezegd wie u bent."},
    {jwt_malformed, "Het bewijs van uw identiteit kan niet worden gelezen."},
    {jwt_encrypted, "Het bewijs van uw identiteit is voor iemand anders versleuteld."},
    {jwt_not_encrypted,
     "Het bewijs van uw identiteit is niet versleuteld, hoewel deze site dat verlangt."},
    {jwt_decryption, "Het bewijs van uw identiteit kan niet worden ontsleuteld."},
    {jwt_alg,
     "Het bewijs van uw identiteit is ondertekend op een manier die deze site niet aanneemt."},
    {jwt_crit, "Het bewijs van uw identiteit bevat voorwaarden die deze site niet kent."},
    {jwt_typ, "De aanmelddienst stuurde iets anders dan een bewijs van uw identiteit."},
    {jwt_key_unknown, "Het bewijs van uw identiteit is met een onbekende sleutel ondertekend."},
    {jwt_signature, "Het bewijs van uw identiteit heeft geen geldige handtekening."},
    {id_token_iss, "Het bewijs van uw identiteit komt van een andere dienst dan verwacht."},
    {id_token_aud, "Het bewijs van uw identiteit is voor een andere site bestemd."},
    {id_token_azp, "Het bewijs van uw identiteit is voor een andere site bestemd."},
    {id_token_exp, "Het bewijs van uw identiteit is verlopen."},
    {id_token_nbf, "Het bewijs van uw identiteit is nog niet geldig."},
    {id_token_iat, "Het bewijs van uw identiteit is niet op een geloofwaardig tijdstip gemaakt."},
    {id_token_nonce, "Het bewijs van uw identiteit hoort niet bij deze aanmelding."},
    {id_token_sub, "Het bewijs van uw identiteit zegt niet wie u bent."},
    {id_token_at_hash, "De delen van het aanmeldantwoord horen niet bij elkaar."},
    {id_token_c_hash, "De delen van het aanmeldantwoord horen niet bij elkaar."},
    {id_token_auth_time, "Uw laatste aanmelding is voor deze site te lang geleden."},
    {id_token_acr,
     "Deze site vraagt om een sterkere manier van aanmelden, bijvoorbeeld met een tweede factor."},
    {id_token_claim,
     "Het bewijs van uw identiteit bevat gegevens die niet kunnen worden gebruikt."},
    {logout_token_malformed, "Het afmeldtoken kan niet worden gelezen."},
    {logout_token_alg, "Het afmeldtoken is ondertekend op een manier die deze site niet aanneemt."},
    {logout_token_typ, "Wat is verstuurd, is geen afmeldtoken."},
    {logout_token_signature, "Het afmeldtoken heeft geen geldige handtekening."},
    {logout_token_iss, "Het afmeldtoken komt van een andere dienst dan verwacht."},
    {logout_token_aud, "Het afmeldtoken is voor een andere site bestemd."},
    {logout_token_exp, "Het afmeldtoken is verlopen."},
    {logout_token_iat, "Het afmeldtoken is niet op een geloofwaardig tijdstip gemaakt."},
    {logout_token_jti, "Het afmeldtoken heeft geen kenmerk."},
    {logout_token_replayed, "Het afmeldtoken is al gebruikt."},
    {logout_token_events, "Het afmeldtoken zegt niet dat iemand zich heeft afgemeld."},
    {logout_token_sub, "Het afmeldtoken zegt niet wie zich heeft afgemeld."},
    {logout_token_nonce, "Het afmeldtoken bevat een nonce, wat niet mag."},
    {refresh_denied, "Uw aanmelding bij de aanmelddienst is afgelopen."},
    {revocation_failed, "De aanmelddienst heeft zijn tokens niet ingetrokken."},
    {userinfo_status, "De aanmelddienst heeft de gegevens van uw account niet gestuurd."},
    {userinfo_denied, "De aanmelddienst laat deze site de gegevens van uw account niet zien."},
    {userinfo_malformed, "De gegevens van uw account kunnen niet worden gelezen."},
    {userinfo_sub, "De aanmelddienst stuurde de gegevens van een ander account."},
    {username_missing, "Uw account bij de aanmelddienst heeft geen gebruikersnaam voor deze site."},
    {malformed, "Het verzoek is niet te begrijpen."},
    {too_large, "Het verzoek is te groot."},
    {bearer_malformed, "Het verzoek bevat zijn toegangstoken niet op de verwachte manier."},
    {access_token_malformed, "Het toegangstoken kan niet worden gelezen."},
    {access_token_alg,
     "Het toegangstoken is ondertekend op een manier die deze site niet aanneemt."},
    {access_token_typ, "Wat is verstuurd, is geen toegangstoken."},
    {access_token_signature, "Het toegangstoken heeft geen geldige handtekening."},
    {access_token_iss, "Het toegangstoken komt van een andere dienst dan verwacht."},
    {access_token_aud, "Het toegangstoken is voor een andere site bestemd."},
    {access_token_exp, "Het toegangstoken is verlopen."},
    {access_token_iat, "Het toegangstoken is nog niet geldig."},
    {access_token_claim, "Het toegangstoken zegt niet wie het verstuurt."},
    {access_token_binding,
     "Het toegangstoken hoort bij een andere sleutel of een ander certificaat."},
    {dpop_proof_invalid, "Het bewijs dat het toegangstoken van de afzender is, is niet geldig."},
    {dpop_proof_replayed, "Het bewijs dat het toegangstoken van de afzender is, is al gebruikt."},
    {insufficient_scope, "Het toegangstoken staat niet toe wat is gevraagd."},
    {claim_source_failed,
     "Een dienst die deze site nodig heeft, heeft gegevens van uw account niet bevestigd."},
    {tenant_unlisted, "Met accounts van uw organisatie kunt u zich hier niet aanmelden."},
}};
static_assert(are_in_order(kTitlesNl), "titles stand in the order of the enum");

}  // namespace oidc
