// SPDX-License-Identifier: Apache-2.0
// Spanish, with usted.
#include "oidc/page_texts.hpp"

namespace oidc {

using enum Reason;

constexpr PageTexts kTextsEs{
    .problem = "Problema al iniciar sesión",
    .signed_out_title = "Sesión cerrada",
    .one_moment = "Un momento",
    .sign_in = "Iniciar sesión",
    .sign_in_again = "Iniciar sesión de nuevo",
    .sign_out = "Cerrar sesión",
    .sign_out_there = "Cerrar sesión también allí",
    .start_again = "Empezar de nuevo",
    .go_on = "Continuar",
    .reference = "Referencia para su administrador:",
    .signed_out = "Se ha cerrado su sesión.",
    .close_browser = "Si otras personas usan este equipo, cierre ahora el navegador.",
    .signed_out_here = "Se ha cerrado su sesión en este sitio.",
    .one_more_step =
        "Con un paso más se cerrará también su sesión en el servicio de inicio de sesión.",
    .to_sign_in = "Le llevamos a la página de inicio de sesión",
    .to_page = "Le llevamos a la página",
    .if_nothing = "Si no ocurre nada, use este botón.",
    .choose = "Elija su cuenta",
    .choose_why =
        "A este sitio se llega con varios servicios de inicio de sesión. Use aquel en el que tiene "
        "una cuenta.",
    .used_last = "usado la última vez",
    .email = "Dirección de correo electrónico",
    .email_unknown =
        "Ningún servicio de inicio de sesión corresponde a esta dirección. Compruébela o elija uno "
        "de la lista.",
    .login_required = {"No ha iniciado sesión, o su última sesión ha terminado. Si acaba de enviar "
                       "algo, no ha llegado.",
                       "Si rellenó un formulario, vuelva primero atrás: a menudo el navegador "
                       "conserva lo que escribió. Después inicie sesión y envíelo otra vez."},
    .insufficient =
        {"Esta página pide un inicio de sesión más reciente o más seguro que el suyo. Si acaba de "
         "enviar algo, no ha llegado.",
         "Si rellenó un formulario, vuelva primero atrás: a menudo el navegador conserva lo que "
         "escribió. Después inicie sesión de nuevo y envíelo otra vez."},
    .cross_origin = {"Una página de otro sitio web ha hecho que su navegador la enviara. La "
                     "solicitud no ha llegado.",
                     "Si era eso lo que quería hacer, abra este sitio y hágalo aquí. Si ocurre en "
                     "un sitio web en el que confía, avise a su administrador."},
    .logout_cross_site = {"Un enlace o un formulario de otro sitio web le ha traído hasta aquí. Su "
                          "sesión sigue abierta.",
                          "Si quiere cerrar la sesión, use el botón."},
    .initiation = {"Otro sitio web, por ejemplo una página de su servicio de inicio de sesión, le "
                   "ha enviado aquí con un enlace que no corresponde a este sitio.",
                   "Abra este sitio directamente e inicie sesión en él. Si necesita el enlace, "
                   "diga a su administrador dónde está."},
    .access_denied = {"Ha cancelado, o su servicio de inicio de sesión no admite esta cuenta.",
                      "Empiece de nuevo para usar otra cuenta. Si debería tener acceso, pídaselo a "
                      "su administrador."},
    .stronger = {"Su servicio de inicio de sesión le ha dejado entrar sin ello.",
                 "Configure un segundo factor en su servicio de inicio de sesión y empiece de "
                 "nuevo. Si ya tiene uno y no se le pidió, avise a su administrador."},
    .auth_time = {"Su servicio de inicio de sesión no le ha pedido que iniciara sesión de nuevo.",
                  "Cierre la sesión en su servicio de inicio de sesión y empiece de nuevo. Si "
                  "vuelve a ocurrir, avise a su administrador."},
    .account = {"Todo funciona, pero esta cuenta no se ha admitido.",
                "Si tiene varias cuentas, inténtelo con otra. Si debería tener acceso, pídaselo a "
                "su administrador."},
    .browser =
        {"Esto ocurre cuando un inicio de sesión queda abierto mucho tiempo, se continúa desde un "
         "marcador o con el botón Atrás, o cuando el navegador bloquea las cookies.",
         "Empiece de nuevo en una sola pestaña, con las cookies permitidas para este sitio."},
    .provider =
        "Este sitio ha preguntado a su servicio de inicio de sesión quién es usted y no ha "
        "recibido ninguna respuesta que pudiera aceptar. Aquí no se ha iniciado su sesión.",
    .wait = "Espere un minuto y empiece de nuevo. Si vuelve a ocurrir, avise a su administrador.",
    .no_use_waiting =
        "Empiece de nuevo una vez. Si vuelve a ocurrir, esperar no servirá de nada: avise a su "
        "administrador.",
    .misfit = {"Este sitio y su servicio de inicio de sesión no están configurados para funcionar "
               "juntos. Usted no ha hecho nada mal.",
               "Avise a su administrador, que puede corregirlo."},
    .server = "No se ha podido completar la solicitud. Usted no ha hecho nada mal.",
    .sign_in_there_title = "Su servicio de inicio de sesión necesita antes algo de usted.",
    .sign_in_there =
        {"Su servicio de inicio de sesión quiere pedirle antes algo, por ejemplo que inicie "
         "sesión, que elija una cuenta o que dé su consentimiento, y no se le ha permitido.",
         "Abra su servicio de inicio de sesión en otra pestaña e inicie sesión allí. Después "
         "empiece de nuevo. Si vuelve a ocurrir, avise a su administrador."},
    .stronger_there = {"Su servicio de inicio de sesión no puede iniciar su sesión de esa manera.",
                       "Configure un segundo factor en su servicio de inicio de sesión y empiece "
                       "de nuevo. Si ya tiene uno, avise a su administrador."},
    .later_title = "Su servicio de inicio de sesión no está disponible en este momento.",
    .later = {"Está sobrecargado o en mantenimiento. La causa no es su cuenta.",
              "Espere unos minutos y empiece de nuevo."},
    .again_later_title = "Algo ha fallado en su servicio de inicio de sesión.",
    .again_later =
        "Lo indica el propio servicio. Usted no ha hecho nada mal, y aquí no se ha iniciado su "
        "sesión.",
    .not_taken_title = "Su servicio de inicio de sesión no ha aceptado la solicitud de este sitio.",
};

constexpr PageTitles kTitlesEs{{
    {internal_error, "Algo ha fallado en este servidor."},
    {store_full, "Hay demasiadas sesiones abiertas en este momento."},
    {store_unavailable,
     "Este servidor no puede comprobar en este momento quién ha iniciado sesión."},
    {store_unsupported,
     "Este servidor guarda sus sesiones en los navegadores y por eso no puede enumerarlas; un "
     "almacén de sesiones de otro tipo sí puede."},
    {session_too_large,
     "Su cuenta contiene más información de la que este servidor puede guardar."},
    {assertion_too_large,
     "Su cuenta contiene más información de la que se puede comunicar a la aplicación."},
    {login_required, "Inicie sesión para ver esta página."},
    {insufficient_user_authentication,
     "Inicie sesión de nuevo, o de una manera más segura, para ver esta página."},
    {not_permitted, "Su cuenta no tiene permiso para ver esta página."},
    {cross_origin_request, "Otro sitio ha enviado esta solicitud en su nombre."},
    {callback_method, "Esta página no se puede usar de esta manera."},
    {callback_malformed,
     "La respuesta de inicio de sesión que ha traído su navegador no se puede leer."},
    {callback_too_large,
     "La respuesta de inicio de sesión que ha traído su navegador es demasiado grande."},
    {callback_not_https, "Para iniciar sesión se necesita una conexión segura (https)."},
    {initiation_malformed, "El enlace que le ha traído aquí no sirve para iniciar sesión."},
    {initiation_issuer,
     "El enlace que le ha traído aquí pertenece a otro servicio de inicio de sesión."},
    {state_missing, "Este inicio de sesión no se empezó en este navegador."},
    {state_unknown, "Este inicio de sesión no se empezó en este navegador."},
    {state_expired, "Este inicio de sesión tardó demasiado y ha caducado."},
    {state_replayed, "Este inicio de sesión ya se ha usado."},
    {issuer_missing, "La respuesta de inicio de sesión no dice de qué servicio procede."},
    {issuer_mix_up,
     "La respuesta de inicio de sesión procede de un servicio distinto del consultado."},
    {response_unsigned,
     "La respuesta de inicio de sesión no está firmada, aunque este sitio lo exige."},
    {response_signature, "La respuesta de inicio de sesión no tiene una firma válida."},
    {response_aud, "La respuesta de inicio de sesión se hizo para otro sitio."},
    {response_exp, "La respuesta de inicio de sesión ha caducado."},
    {logout_cross_site,
     "Otro sitio web ha intentado cerrar su sesión, así que no se ha hecho nada."},
    {logout_malformed, "La solicitud de cierre de sesión no se entiende."},
    {logout_too_large, "La solicitud de cierre de sesión es demasiado grande."},
    {access_denied, "El inicio de sesión se canceló o no se permitió."},
    {idp_error, "El servicio de inicio de sesión ha comunicado un error."},
    {idp_connect, "No se puede acceder al servicio de inicio de sesión."},
    {idp_timeout, "El servicio de inicio de sesión ha tardado demasiado en responder."},
    {idp_tls,
     "La conexión con el servicio de inicio de sesión no es segura, así que no se ha usado."},
    {idp_http, "El servicio de inicio de sesión ha dado una respuesta que no se puede leer."},
    {idp_too_large, "El servicio de inicio de sesión ha enviado demasiados datos."},
    {idp_redirect, "El servicio de inicio de sesión se ha trasladado a otra dirección."},
    {idp_busy, "Hay demasiadas personas iniciando sesión en este momento."},
    {metadata_unavailable,
     "No se puede obtener la configuración del servicio de inicio de sesión."},
    {metadata_invalid, "No se puede usar la configuración del servicio de inicio de sesión."},
    {metadata_issuer, "El servicio de inicio de sesión no tiene el nombre que este sitio espera."},
    {jwks_unavailable, "No se pueden obtener las claves del servicio de inicio de sesión."},
    {jwks_invalid, "No se pueden usar las claves del servicio de inicio de sesión."},
    {par_status, "El servicio de inicio de sesión no ha comenzado el inicio de sesión."},
    {par_malformed, "El servicio de inicio de sesión ha dado una respuesta que no se puede leer."},
    {par_error, "El servicio de inicio de sesión no ha aceptado la solicitud de este sitio."},
    {token_status, "El servicio de inicio de sesión no ha terminado el inicio de sesión."},
    {token_malformed,
     "El servicio de inicio de sesión ha dado una respuesta que no se puede leer."},
    {token_error, "El servicio de inicio de sesión no ha terminado el inicio de sesión."},
    {code_refused, "Su servicio de inicio de sesión ya no acepta este inicio de sesión."},
    {token_client_auth, "El servicio de inicio de sesión no reconoce este sitio."},
    {token_type,
     "El servicio de inicio de sesión ha enviado un tipo de token que este sitio no puede usar."},
    {token_no_id_token, "El servicio de inicio de sesión no ha dicho quién es usted."},
    {jwt_malformed, "La prueba de su identidad no se puede leer."},
    {jwt_encrypted, "La prueba de su identidad está cifrada para otra persona."},
    {jwt_not_encrypted, "La prueba de su identidad no está cifrada, aunque este sitio lo pide."},
    {jwt_decryption, "La prueba de su identidad no se puede descifrar."},
    {jwt_alg, "La prueba de su identidad está firmada de una manera que este sitio no acepta."},
    {jwt_crit, "La prueba de su identidad tiene condiciones que este sitio no conoce."},
    {jwt_typ,
     "El servicio de inicio de sesión ha enviado algo distinto de una prueba de su identidad."},
    {jwt_key_unknown, "La prueba de su identidad está firmada con una clave desconocida."},
    {jwt_signature, "La prueba de su identidad no tiene una firma válida."},
    {id_token_iss, "La prueba de su identidad procede de un servicio distinto del esperado."},
    {id_token_aud, "La prueba de su identidad se hizo para otro sitio."},
    {id_token_azp, "La prueba de su identidad se hizo para otro sitio."},
    {id_token_exp, "La prueba de su identidad ha caducado."},
    {id_token_nbf, "La prueba de su identidad aún no es válida."},
    {id_token_iat, "La prueba de su identidad no se hizo en un momento creíble."},
    {id_token_nonce, "La prueba de su identidad no corresponde a este inicio de sesión."},
    {id_token_sub, "La prueba de su identidad no dice quién es usted."},
    {id_token_at_hash, "Las partes de la respuesta de inicio de sesión no corresponden entre sí."},
    {id_token_c_hash, "Las partes de la respuesta de inicio de sesión no corresponden entre sí."},
    {id_token_auth_time, "Su último inicio de sesión es demasiado antiguo para este sitio."},
    {id_token_acr,
     "Este sitio pide una manera más segura de iniciar sesión, por ejemplo con un segundo factor."},
    {id_token_claim, "La prueba de su identidad tiene datos que no se pueden usar."},
    {logout_token_malformed, "El token de cierre de sesión no se puede leer."},
    {logout_token_alg,
     "El token de cierre de sesión está firmado de una manera que este sitio no acepta."},
    {logout_token_typ, "Lo que se ha enviado no es un token de cierre de sesión."},
    {logout_token_signature, "El token de cierre de sesión no tiene una firma válida."},
    {logout_token_iss,
     "El token de cierre de sesión procede de un servicio distinto del esperado."},
    {logout_token_aud, "El token de cierre de sesión se hizo para otro sitio."},
    {logout_token_exp, "El token de cierre de sesión ha caducado."},
    {logout_token_iat, "El token de cierre de sesión no se hizo en un momento creíble."},
    {logout_token_jti, "El token de cierre de sesión no tiene identificador."},
    {logout_token_replayed, "El token de cierre de sesión ya se ha usado."},
    {logout_token_events,
     "El token de cierre de sesión no dice que alguien haya cerrado su sesión."},
    {logout_token_sub, "El token de cierre de sesión no dice quién ha cerrado su sesión."},
    {logout_token_nonce, "El token de cierre de sesión tiene un nonce, que no debe tener."},
    {refresh_denied, "Su sesión ha terminado en el servicio de inicio de sesión."},
    {revocation_failed, "El servicio de inicio de sesión no ha revocado sus tokens."},
    {userinfo_status, "El servicio de inicio de sesión no ha enviado los datos de su cuenta."},
    {userinfo_denied,
     "El servicio de inicio de sesión no deja que este sitio vea los datos de su cuenta."},
    {userinfo_malformed, "Los datos de su cuenta no se pueden leer."},
    {userinfo_sub, "El servicio de inicio de sesión ha enviado los datos de otra cuenta."},
    {username_missing,
     "Su cuenta en el servicio de inicio de sesión no tiene un nombre de usuario para este sitio."},
    {malformed, "La solicitud no se entiende."},
    {too_large, "La solicitud es demasiado grande."},
    {bearer_malformed, "La solicitud no lleva su token de acceso de la manera esperada."},
    {access_token_malformed, "El token de acceso no se puede leer."},
    {access_token_alg, "El token de acceso está firmado de una manera que este sitio no acepta."},
    {access_token_typ, "Lo que se ha enviado no es un token de acceso."},
    {access_token_signature, "El token de acceso no tiene una firma válida."},
    {access_token_iss, "El token de acceso procede de un servicio distinto del esperado."},
    {access_token_aud, "El token de acceso se hizo para otro sitio."},
    {access_token_exp, "El token de acceso ha caducado."},
    {access_token_iat, "El token de acceso todavía no es válido."},
    {access_token_claim, "El token de acceso no dice quién lo envía."},
    {access_token_binding, "El token de acceso pertenece a otra clave o a otro certificado."},
    {dpop_proof_invalid,
     "La prueba de que el token de acceso pertenece a quien lo envía no es válida."},
    {dpop_proof_replayed,
     "La prueba de que el token de acceso pertenece a quien lo envía ya se ha usado."},
    {insufficient_scope, "El token de acceso no permite lo que se ha solicitado."},
    {claim_source_failed,
     "Un servicio que este sitio necesita no ha confirmado datos de su cuenta."},
    {tenant_unlisted, "Las cuentas de su organización no permiten iniciar sesión aquí."},
}};
static_assert(are_in_order(kTitlesEs), "titles stand in the order of the enum");

}  // namespace oidc
