// SPDX-License-Identifier: Apache-2.0
// Polish, without a form of address: proszę with an infinitive.
#include "oidc/page_texts.hpp"

namespace oidc {

using enum Reason;

constexpr PageTexts kTextsPl{
    .problem = "Problem z logowaniem",
    .signed_out_title = "Wylogowano",
    .one_moment = "Proszę czekać",
    .sign_in = "Zaloguj się",
    .sign_in_again = "Zaloguj się ponownie",
    .sign_out = "Wyloguj się",
    .sign_out_there = "Wyloguj się także tam",
    .start_again = "Zacznij od nowa",
    .go_on = "Kontynuuj",
    .reference = "Identyfikator dla administratora:",
    .signed_out = "Wylogowano.",
    .close_browser =
        "Jeśli z tego komputera korzystają też inni, proszę teraz zamknąć przeglądarkę.",
    .signed_out_here = "Wylogowano z tej witryny.",
    .one_more_step = "Jeszcze jeden krok wyloguje także z usługi logowania.",
    .to_sign_in = "Przechodzenie do strony logowania",
    .to_page = "Przechodzenie do strony",
    .if_nothing = "Jeśli nic się nie dzieje, proszę użyć tego przycisku.",
    .choose = "Wybór konta",
    .choose_why =
        "Prowadzi tu więcej niż jedna usługa logowania. Proszę użyć tej, w której ma się konto.",
    .used_last = "ostatnio używana",
    .email = "Adres e-mail",
    .email_unknown =
        "Do tego adresu nie należy żadna usługa logowania. Proszę go sprawdzić albo wybrać usługę "
        "z listy.",
    .login_required =
        {"Nie zalogowano albo ostatnia sesja wygasła. Jeśli przed chwilą coś wysłano, nie dotarło "
         "to do celu.",
         "Jeśli wypełniono formularz, proszę najpierw się cofnąć: przeglądarka często jeszcze "
         "pamięta wprowadzone dane. Następnie proszę się zalogować i wysłać go jeszcze raz."},
    .insufficient = {"Ta strona wymaga nowszego lub silniejszego logowania niż obecne. Jeśli przed "
                     "chwilą coś wysłano, nie dotarło to do celu.",
                     "Jeśli wypełniono formularz, proszę najpierw się cofnąć: przeglądarka często "
                     "jeszcze pamięta wprowadzone dane. Następnie proszę zalogować się ponownie i "
                     "wysłać go jeszcze raz."},
    .cross_origin =
        {"Strona z innej witryny kazała przeglądarce wysłać to żądanie. Nie dotarło ono do celu.",
         "Jeśli było to zamierzone, proszę otworzyć tę witrynę i zrobić to tutaj. Jeśli dzieje się "
         "to w zaufanej witrynie, proszę powiadomić administratora."},
    .logout_cross_site =
        {"Do tej strony doprowadził link lub formularz z innej witryny. Sesja nadal trwa.",
         "Aby się wylogować, proszę użyć przycisku."},
    .initiation = {"Inna witryna, na przykład strona usługi logowania, skierowała tutaj za pomocą "
                   "linku, który nie pasuje do tej witryny.",
                   "Proszę otworzyć tę witrynę bezpośrednio i tu się zalogować. Jeśli link jest "
                   "potrzebny, proszę powiedzieć administratorowi, gdzie się znajduje."},
    .access_denied = {"Logowanie zostało przerwane albo usługa logowania nie dopuszcza tego konta.",
                      "Aby użyć innego konta, proszę zacząć od nowa. Jeśli dostęp powinien być "
                      "możliwy, proszę poprosić o niego administratora."},
    .stronger =
        {"Usługa logowania pozwoliła wejść bez tego.",
         "Proszę skonfigurować drugi składnik w usłudze logowania i zacząć od nowa. Jeśli jest już "
         "skonfigurowany, a usługa o niego nie zapytała, proszę powiadomić administratora."},
    .auth_time = {"Usługa logowania nie poprosiła o ponowne zalogowanie.",
                  "Proszę wylogować się z usługi logowania i zacząć od nowa. Jeśli to się "
                  "powtórzy, proszę powiadomić administratora."},
    .account = {"Wszystko działa, ale to konto nie zostało dopuszczone.",
                "Przy kilku kontach proszę spróbować z innym. Jeśli dostęp powinien być możliwy, "
                "proszę poprosić o niego administratora."},
    .browser =
        {"Dzieje się tak, gdy logowanie pozostaje długo otwarte, jest wznawiane z zakładki lub "
         "przyciskiem Wstecz albo gdy przeglądarka blokuje pliki cookie.",
         "Proszę zacząć od nowa w jednej karcie, z włączonymi plikami cookie dla tej witryny."},
    .provider =
        "Ta witryna zapytała usługę logowania o tożsamość i nie otrzymała odpowiedzi, którą "
        "mogłaby przyjąć. Nie zalogowano do tej witryny.",
    .wait =
        "Proszę poczekać minutę i zacząć od nowa. Jeśli to się powtórzy, proszę powiadomić "
        "administratora.",
    .no_use_waiting =
        "Proszę raz zacząć od nowa. Jeśli to się powtórzy, czekanie nie pomoże: proszę powiadomić "
        "administratora.",
    .misfit = {"Ustawienia tej witryny i usługi logowania nie pasują do siebie. Nie jest to wina "
               "użytkownika.",
               "Proszę powiadomić administratora, który może to naprawić."},
    .server = "Nie udało się ukończyć żądania. Nie jest to wina użytkownika.",
    .sign_in_there_title = "Usługa logowania najpierw czegoś potrzebuje.",
    .sign_in_there =
        {"Usługa logowania chce najpierw o coś poprosić, na przykład o zalogowanie, wybór konta "
         "lub zgodę, a nie było to dozwolone.",
         "Proszę otworzyć usługę logowania w innej karcie i tam się zalogować. Następnie proszę "
         "zacząć od nowa. Jeśli to się powtórzy, proszę powiadomić administratora."},
    .stronger_there = {"Usługa logowania nie może zalogować w ten sposób.",
                       "Proszę skonfigurować drugi składnik w usłudze logowania i zacząć od nowa. "
                       "Jeśli jest już skonfigurowany, proszę powiadomić administratora."},
    .later_title = "Usługa logowania jest teraz niedostępna.",
    .later = {"Jest przeciążona albo trwa jej konserwacja. Przyczyną nie jest konto.",
              "Proszę poczekać kilka minut i zacząć od nowa."},
    .again_later_title = "W usłudze logowania coś się nie powiodło.",
    .again_later =
        "Informuje o tym ona sama. Nie jest to wina użytkownika. Nie zalogowano do tej witryny.",
    .not_taken_title = "Usługa logowania odrzuciła żądanie tej witryny.",
};

constexpr PageTitles kTitlesPl{{
    {internal_error, "Na tym serwerze coś się nie powiodło."},
    {store_full, "Zalogowanych jest teraz zbyt wiele osób."},
    {store_unavailable, "Ten serwer nie może teraz sprawdzić, kto jest zalogowany."},
    {store_unsupported,
     "Ten serwer przechowuje sesje w przeglądarkach, więc nie może ich wyliczyć; magazyn sesji "
     "innego typu może."},
    {session_too_large, "Konto zawiera więcej informacji, niż ten serwer może przechować."},
    {assertion_too_large, "Konto zawiera więcej informacji, niż można przekazać aplikacji."},
    {login_required, "Aby zobaczyć tę stronę, proszę się zalogować."},
    {insufficient_user_authentication,
     "Aby zobaczyć tę stronę, proszę zalogować się ponownie lub w silniejszy sposób."},
    {not_permitted, "To konto nie ma uprawnień do wyświetlenia tej strony."},
    {cross_origin_request, "Inna witryna wysłała to żądanie w imieniu użytkownika."},
    {callback_method, "Tej strony nie można użyć w ten sposób."},
    {callback_malformed,
     "Nie można odczytać odpowiedzi na logowanie, którą przekazała przeglądarka."},
    {callback_too_large, "Odpowiedź na logowanie, którą przekazała przeglądarka, jest zbyt duża."},
    {callback_not_https, "Logowanie wymaga bezpiecznego połączenia (https)."},
    {initiation_malformed, "Link, który tu doprowadził, nie nadaje się do logowania."},
    {initiation_issuer, "Link, który tu doprowadził, należy do innej usługi logowania."},
    {state_missing, "Tego logowania nie rozpoczęto w tej przeglądarce."},
    {state_unknown, "Tego logowania nie rozpoczęto w tej przeglądarce."},
    {state_expired, "To logowanie trwało zbyt długo i wygasło."},
    {state_replayed, "To logowanie zostało już użyte."},
    {issuer_missing, "Odpowiedź na logowanie nie mówi, z której usługi pochodzi."},
    {issuer_mix_up, "Odpowiedź na logowanie pochodzi z innej usługi niż ta, którą zapytano."},
    {response_unsigned, "Odpowiedź na logowanie nie jest podpisana, choć ta witryna tego wymaga."},
    {response_signature, "Odpowiedź na logowanie nie ma ważnego podpisu."},
    {response_aud, "Odpowiedź na logowanie jest przeznaczona dla innej witryny."},
    {response_exp, "Odpowiedź na logowanie wygasła."},
    {logout_cross_site, "Inna witryna próbowała zakończyć sesję, więc nic nie zrobiono."},
    {logout_malformed, "Nie można zrozumieć żądania wylogowania."},
    {logout_too_large, "Żądanie wylogowania jest zbyt duże."},
    {access_denied, "Logowanie zostało anulowane lub nie było dozwolone."},
    {idp_error, "Usługa logowania zgłosiła błąd."},
    {idp_connect, "Nie można połączyć się z usługą logowania."},
    {idp_timeout, "Usługa logowania zbyt długo nie odpowiadała."},
    {idp_tls, "Połączenie z usługą logowania nie jest bezpieczne, więc go nie użyto."},
    {idp_http, "Usługa logowania dała odpowiedź, której nie można odczytać."},
    {idp_too_large, "Usługa logowania wysłała zbyt wiele danych."},
    {idp_redirect, "Usługa logowania przeniosła się pod inny adres."},
    {idp_busy, "Loguje się teraz zbyt wiele osób."},
    {metadata_unavailable, "Nie można pobrać ustawień usługi logowania."},
    {metadata_invalid, "Nie można użyć ustawień usługi logowania."},
    {metadata_issuer, "Usługa logowania nie nosi nazwy, której oczekuje ta witryna."},
    {jwks_unavailable, "Nie można pobrać kluczy usługi logowania."},
    {jwks_invalid, "Nie można użyć kluczy usługi logowania."},
    {par_status, "Usługa logowania nie rozpoczęła logowania."},
    {par_malformed, "Usługa logowania dała odpowiedź, której nie można odczytać."},
    {par_error, "Usługa logowania nie przyjęła żądania tej witryny."},
    {token_status, "Usługa logowania nie ukończyła logowania."},
    {token_malformed, "Usługa logowania dała odpowiedź, której nie można odczytać."},
    {token_error, "Usługa logowania nie ukończyła logowania."},
    {code_refused, "Usługa logowania nie przyjmuje już tego logowania."},
    {token_client_auth, "Usługa logowania nie rozpoznaje tej witryny."},
    {token_type, "Usługa logowania wysłała rodzaj tokenu, którego ta witryna nie może użyć."},
    {token_no_id_token, "Usługa logowania nie podała tożsamości użytkownika."},
    {jwt_malformed, "Nie można odczytać potwierdzenia tożsamości."},
    {jwt_encrypted, "Potwierdzenie tożsamości jest zaszyfrowane dla kogoś innego."},
    {jwt_not_encrypted,
     "Potwierdzenie tożsamości nie jest zaszyfrowane, choć ta witryna tego wymaga."},
    {jwt_decryption, "Nie można odszyfrować potwierdzenia tożsamości."},
    {jwt_alg,
     "Potwierdzenie tożsamości jest podpisane w sposób, którego ta witryna nie przyjmuje."},
    {jwt_crit, "Potwierdzenie tożsamości zawiera warunki, których ta witryna nie zna."},
    {jwt_typ, "Usługa logowania wysłała coś innego niż potwierdzenie tożsamości."},
    {jwt_key_unknown, "Potwierdzenie tożsamości jest podpisane nieznanym kluczem."},
    {jwt_signature, "Potwierdzenie tożsamości nie ma ważnego podpisu."},
    {id_token_iss, "Potwierdzenie tożsamości pochodzi z innej usługi niż oczekiwana."},
    {id_token_aud, "Potwierdzenie tożsamości jest przeznaczone dla innej witryny."},
    {id_token_azp, "Potwierdzenie tożsamości jest przeznaczone dla innej witryny."},
    {id_token_exp, "Potwierdzenie tożsamości wygasło."},
    {id_token_nbf, "Potwierdzenie tożsamości nie jest jeszcze ważne."},
    {id_token_iat, "Potwierdzenie tożsamości nie zostało wystawione w wiarygodnym czasie."},
    {id_token_nonce, "Potwierdzenie tożsamości nie należy do tego logowania."},
    {id_token_sub, "Potwierdzenie tożsamości nie mówi, o kogo chodzi."},
    {id_token_at_hash, "Części odpowiedzi na logowanie nie pasują do siebie."},
    {id_token_c_hash, "Części odpowiedzi na logowanie nie pasują do siebie."},
    {id_token_auth_time, "Ostatnie logowanie jest dla tej witryny zbyt dawne."},
    {id_token_acr, "Ta witryna wymaga silniejszego logowania, na przykład z drugim składnikiem."},
    {id_token_claim, "Potwierdzenie tożsamości zawiera dane, których nie można użyć."},
    {logout_token_malformed, "Nie można odczytać tokenu wylogowania."},
    {logout_token_alg,
     "Token wylogowania jest podpisany w sposób, którego ta witryna nie przyjmuje."},
    {logout_token_typ, "To, co wysłano, nie jest tokenem wylogowania."},
    {logout_token_signature, "Token wylogowania nie ma ważnego podpisu."},
    {logout_token_iss, "Token wylogowania pochodzi z innej usługi niż oczekiwana."},
    {logout_token_aud, "Token wylogowania jest przeznaczony dla innej witryny."},
    {logout_token_exp, "Token wylogowania wygasł."},
    {logout_token_iat, "Token wylogowania nie został wystawiony w wiarygodnym czasie."},
    {logout_token_jti, "Token wylogowania nie ma identyfikatora."},
    {logout_token_replayed, "Token wylogowania został już użyty."},
    {logout_token_events, "Token wylogowania nie mówi, że ktoś się wylogował."},
    {logout_token_sub, "Token wylogowania nie mówi, kto się wylogował."},
    {logout_token_nonce, "Token wylogowania zawiera nonce, którego nie może zawierać."},
    {signal_malformed, "Nie można odczytać powiadomienia o bezpieczeństwie."},
    {signal_too_large, "Powiadomienie o bezpieczeństwie jest zbyt duże."},
    {signal_bearer, "Nadawca powiadomienia o bezpieczeństwie nie jest tu znany."},
    {signal_alg,
     "Powiadomienie o bezpieczeństwie jest podpisane w sposób, którego ta witryna nie przyjmuje."},
    {signal_typ, "To, co wysłano, nie jest powiadomieniem o bezpieczeństwie."},
    {signal_signature, "Powiadomienie o bezpieczeństwie nie ma ważnego podpisu."},
    {signal_iss, "Powiadomienie o bezpieczeństwie pochodzi z innej usługi niż oczekiwana."},
    {signal_aud, "Powiadomienie o bezpieczeństwie jest przeznaczone dla innej witryny."},
    {signal_exp, "Powiadomienie o bezpieczeństwie ma termin ważności, którego nie może mieć."},
    {signal_iat, "Powiadomienie o bezpieczeństwie nie zostało wystawione w wiarygodnym czasie."},
    {signal_jti, "Powiadomienie o bezpieczeństwie nie ma identyfikatora."},
    {signal_events, "Powiadomienie o bezpieczeństwie nie mówi, co się stało."},
    {signal_subject, "Powiadomienie o bezpieczeństwie nie mówi, komu się to stało."},
    {refresh_denied, "Sesja w usłudze logowania dobiegła końca."},
    {revocation_failed, "Usługa logowania nie unieważniła swoich tokenów."},
    {userinfo_status, "Usługa logowania nie przesłała danych konta."},
    {userinfo_denied, "Usługa logowania nie pozwala tej witrynie zobaczyć danych konta."},
    {userinfo_malformed, "Nie można odczytać danych konta."},
    {userinfo_sub, "Usługa logowania przesłała dane innego konta."},
    {username_missing, "Konto w usłudze logowania nie ma nazwy użytkownika dla tej witryny."},
    {malformed, "Nie można zrozumieć żądania."},
    {too_large, "Żądanie jest zbyt duże."},
    {bearer_malformed, "Żądanie nie przekazuje tokenu dostępu w oczekiwany sposób."},
    {access_token_malformed, "Nie można odczytać tokenu dostępu."},
    {access_token_alg, "Token dostępu jest podpisany w sposób, którego ta witryna nie przyjmuje."},
    {access_token_typ, "To, co wysłano, nie jest tokenem dostępu."},
    {access_token_signature, "Token dostępu nie ma ważnego podpisu."},
    {access_token_iss, "Token dostępu pochodzi z innej usługi niż oczekiwana."},
    {access_token_aud, "Token dostępu jest przeznaczony dla innej witryny."},
    {access_token_exp, "Token dostępu wygasł."},
    {access_token_iat, "Token dostępu nie jest jeszcze ważny."},
    {access_token_claim, "Token dostępu nie mówi, kto go wysyła."},
    {access_token_binding, "Token dostępu należy do innego klucza lub certyfikatu."},
    {dpop_proof_invalid, "Dowód, że token dostępu należy do nadawcy, jest nieważny."},
    {dpop_proof_replayed, "Dowód, że token dostępu należy do nadawcy, został już użyty."},
    {insufficient_scope, "Token dostępu nie zezwala na to, o co poproszono."},
    {token_not_active, "Token dostępu jest nieważny lub utracił ważność."},
    {introspection_unavailable, "Nie można teraz zapytać usługi logowania o token dostępu."},
    {introspection_malformed,
     "Odpowiedź usługi logowania o tokenie dostępu nie nadaje się do użycia."},
    {introspection_busy, "W tej chwili sprawdza się zbyt wiele tokenów dostępu."},
    {claim_source_failed, "Usługa, której potrzebuje ta witryna, nie potwierdziła danych konta."},
    {tenant_unlisted, "Kont Państwa organizacji nie można używać do logowania tutaj."},
}};
static_assert(are_in_order(kTitlesPl), "titles stand in the order of the enum");

}  // namespace oidc
