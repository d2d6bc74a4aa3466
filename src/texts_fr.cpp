// SPDX-License-Identifier: Apache-2.0
// French, with vous.
#include "oidc/page_texts.hpp"

namespace oidc {

using enum Reason;

constexpr PageTexts kTextsFr{
    .problem = "Problème de connexion",
    .signed_out_title = "Déconnexion effectuée",
    .one_moment = "Un instant",
    .sign_in = "Se connecter",
    .sign_in_again = "Se reconnecter",
    .sign_out = "Se déconnecter",
    .sign_out_there = "Se déconnecter aussi du service",
    .start_again = "Recommencer",
    .go_on = "Continuer",
    .reference = "Référence pour votre administrateur :",
    .signed_out = "Vous êtes déconnecté.",
    .close_browser =
        "Si d’autres personnes utilisent cet ordinateur, fermez maintenant le navigateur.",
    .signed_out_here = "Vous êtes déconnecté de ce site.",
    .one_more_step = "Il reste une étape pour vous déconnecter aussi du service de connexion.",
    .to_sign_in = "Redirection vers la page de connexion",
    .to_page = "Redirection vers la page",
    .if_nothing = "Si rien ne se passe, utilisez ce bouton.",
    .choose = "Choisissez votre compte",
    .choose_why =
        "Plusieurs services de connexion mènent ici. Utilisez celui où vous avez un compte.",
    .used_last = "dernier utilisé",
    .email = "Adresse e-mail",
    .email_unknown =
        "Aucun service de connexion ne correspond à cette adresse. Vérifiez-la ou choisissez dans "
        "la liste.",
    .login_required =
        {"Vous n’êtes pas connecté, ou votre dernière connexion a pris fin. Si vous venez "
         "d’envoyer quelque chose, cela n’est pas arrivé.",
         "Si vous avez rempli un formulaire, revenez d’abord en arrière : le navigateur a souvent "
         "gardé votre saisie. Connectez-vous ensuite, puis envoyez-le de nouveau."},
    .insufficient =
        {"Cette page demande une connexion plus récente ou plus forte que la vôtre. Si vous venez "
         "d’envoyer quelque chose, cela n’est pas arrivé.",
         "Si vous avez rempli un formulaire, revenez d’abord en arrière : le navigateur a souvent "
         "gardé votre saisie. Reconnectez-vous ensuite, puis envoyez-le de nouveau."},
    .cross_origin =
        {"Une page d’un autre site l’a fait envoyer par votre navigateur. La demande n’est pas "
         "arrivée.",
         "Si c’est ce que vous vouliez faire, ouvrez ce site et faites-le là. Si cela se produit "
         "sur un site auquel vous faites confiance, prévenez votre administrateur."},
    .logout_cross_site =
        {"Un lien ou un formulaire d’un autre site a mené ici. Vous êtes toujours connecté.",
         "Si vous voulez vous déconnecter, utilisez le bouton."},
    .initiation = {"Un autre site, par exemple une page de votre service de connexion, vous a "
                   "envoyé ici avec un lien qui ne convient pas à ce site.",
                   "Ouvrez ce site directement et connectez-vous-y. Si vous avez besoin du lien, "
                   "dites à votre administrateur où il se trouve."},
    .access_denied = {"Vous avez annulé, ou votre service de connexion n’admet pas ce compte.",
                      "Recommencez pour utiliser un autre compte. Si vous devriez avoir accès, "
                      "demandez-le à votre administrateur."},
    .stronger =
        {"Votre service de connexion vous a laissé entrer sans cela.",
         "Configurez un second facteur auprès de votre service de connexion, puis recommencez. Si "
         "vous en avez un et qu’il ne vous a pas été demandé, prévenez votre administrateur."},
    .auth_time = {"Votre service de connexion ne vous a pas demandé de vous connecter de nouveau.",
                  "Déconnectez-vous de votre service de connexion, puis recommencez. Si cela se "
                  "reproduit, prévenez votre administrateur."},
    .account = {"Tout fonctionne, mais ce compte n’a pas été admis.",
                "Si vous avez plusieurs comptes, essayez avec un autre. Si vous devriez avoir "
                "accès, demandez-le à votre administrateur."},
    .browser =
        {"Cela se produit lorsqu’une connexion reste longtemps ouverte, qu’elle est reprise à "
         "partir d’un favori ou avec le bouton Précédent, ou que le navigateur bloque les cookies.",
         "Recommencez dans un seul onglet, en autorisant les cookies pour ce site."},
    .provider =
        "Ce site a demandé à votre service de connexion qui vous êtes, et n’a reçu aucune réponse "
        "qu’il puisse accepter. Vous n’avez pas été connecté ici.",
    .wait =
        "Attendez une minute, puis recommencez. Si cela se reproduit, prévenez votre "
        "administrateur.",
    .no_use_waiting =
        "Recommencez une fois. Si cela se reproduit, attendre ne servira à rien : prévenez votre "
        "administrateur.",
    .misfit = {"Ce site et votre service de connexion ne sont pas configurés pour aller ensemble. "
               "Vous n’avez commis aucune erreur.",
               "Prévenez votre administrateur, qui peut y remédier."},
    .server = "La demande n’a pas pu aboutir. Vous n’avez commis aucune erreur.",
    .sign_in_there_title = "Votre service de connexion a d’abord besoin de vous.",
    .sign_in_there =
        {"Votre service de connexion veut d’abord vous demander quelque chose, par exemple de vous "
         "connecter, de choisir un compte ou de donner votre accord, et n’y a pas été autorisé.",
         "Ouvrez votre service de connexion dans un autre onglet et connectez-vous-y. Recommencez "
         "ensuite. Si cela se reproduit, prévenez votre administrateur."},
    .stronger_there = {"Votre service de connexion ne peut pas vous connecter de cette façon.",
                       "Configurez un second facteur auprès de votre service de connexion, puis "
                       "recommencez. Si vous en avez un, prévenez votre administrateur."},
    .later_title = "Votre service de connexion n’est pas disponible pour le moment.",
    .later = {"Il est surchargé ou en maintenance. Votre compte n’est pas en cause.",
              "Attendez quelques minutes, puis recommencez."},
    .again_later_title = "Une erreur s’est produite dans votre service de connexion.",
    .again_later =
        "Il le signale lui-même. Vous n’avez commis aucune erreur, et vous n’avez pas été connecté "
        "ici.",
    .not_taken_title = "Votre service de connexion n’a pas accepté la demande de ce site.",
};

constexpr PageTitles kTitlesFr{{
    {internal_error, "Une erreur s’est produite sur ce serveur."},
    {store_full, "Trop de personnes sont connectées en ce moment."},
    {store_unavailable, "Ce serveur ne peut pas vérifier en ce moment qui est connecté."},
    {store_unsupported,
     "Ce serveur garde ses sessions dans les navigateurs et ne peut donc pas les énumérer ; un "
     "magasin de sessions d’un autre type le peut."},
    {session_too_large,
     "Votre compte contient plus d’informations que ce serveur ne peut en garder."},
    {assertion_too_large,
     "Votre compte contient plus d’informations que l’application ne peut en recevoir."},
    {login_required, "Veuillez vous connecter pour voir cette page."},
    {insufficient_user_authentication,
     "Veuillez vous connecter de nouveau, ou de façon plus forte, pour voir cette page."},
    {not_permitted, "Votre compte n’est pas autorisé à voir cette page."},
    {cross_origin_request, "Un autre site a envoyé cette demande en votre nom."},
    {callback_method, "Cette page ne peut pas être utilisée de cette façon."},
    {callback_malformed, "La réponse de connexion apportée par votre navigateur est illisible."},
    {callback_too_large, "La réponse de connexion apportée par votre navigateur est trop grande."},
    {callback_not_https, "La connexion à votre compte exige une liaison sécurisée (https)."},
    {initiation_malformed, "Le lien qui a mené ici ne permet pas de se connecter."},
    {initiation_issuer, "Le lien qui a mené ici appartient à un autre service de connexion."},
    {state_missing, "Cette connexion n’a pas été commencée dans ce navigateur."},
    {state_unknown, "Cette connexion n’a pas été commencée dans ce navigateur."},
    {state_expired, "Cette connexion a pris trop de temps et a expiré."},
    {state_replayed, "Cette connexion a déjà servi."},
    {issuer_missing, "La réponse de connexion ne dit pas de quel service elle vient."},
    {issuer_mix_up,
     "La réponse de connexion vient d’un autre service que celui qui a été interrogé."},
    {response_unsigned, "La réponse de connexion n’est pas signée, alors que ce site l’exige."},
    {response_signature, "La réponse de connexion ne porte pas de signature valide."},
    {response_aud, "La réponse de connexion était destinée à un autre site."},
    {response_exp, "La réponse de connexion a expiré."},
    {logout_cross_site, "Un autre site a tenté de vous déconnecter ; rien n’a donc été fait."},
    {logout_malformed, "La demande de déconnexion est incompréhensible."},
    {logout_too_large, "La demande de déconnexion est trop grande."},
    {access_denied, "La connexion a été annulée ou n’a pas été autorisée."},
    {idp_error, "Le service de connexion a signalé une erreur."},
    {idp_connect, "Le service de connexion est injoignable."},
    {idp_timeout, "Le service de connexion a mis trop de temps à répondre."},
    {idp_tls,
     "La liaison avec le service de connexion n’est pas sécurisée ; elle n’a donc pas été "
     "utilisée."},
    {idp_http, "Le service de connexion a donné une réponse illisible."},
    {idp_too_large, "Le service de connexion a envoyé trop de données."},
    {idp_redirect, "Le service de connexion a changé d’adresse."},
    {idp_busy, "Trop de personnes se connectent en ce moment."},
    {metadata_unavailable, "Les paramètres du service de connexion ne peuvent pas être obtenus."},
    {metadata_invalid, "Les paramètres du service de connexion ne peuvent pas être utilisés."},
    {metadata_issuer, "Le service de connexion ne porte pas le nom que ce site attend."},
    {jwks_unavailable, "Les clés du service de connexion ne peuvent pas être obtenues."},
    {jwks_invalid, "Les clés du service de connexion ne peuvent pas être utilisées."},
    {par_status, "Le service de connexion n’a pas commencé la connexion."},
    {par_malformed, "Le service de connexion a donné une réponse illisible."},
    {par_error, "Le service de connexion n’a pas accepté la demande de ce site."},
    {token_status, "Le service de connexion n’a pas terminé la connexion."},
    {token_malformed, "Le service de connexion a donné une réponse illisible."},
    {token_error, "Le service de connexion n’a pas terminé la connexion."},
    {code_refused, "Votre service de connexion n’accepte plus cette connexion."},
    {token_client_auth, "Le service de connexion ne reconnaît pas ce site."},
    {token_type,
     "Le service de connexion a envoyé un type de jeton que ce site ne peut pas utiliser."},
    {token_no_id_token, "Le service de connexion n’a pas dit qui vous êtes."},
    {jwt_malformed, "La preuve de votre identité est illisible."},
    {jwt_encrypted, "La preuve de votre identité est chiffrée pour quelqu’un d’autre."},
    {jwt_not_encrypted,
     "La preuve de votre identité n’est pas chiffrée, alors que ce site le demande."},
    {jwt_decryption, "La preuve de votre identité ne peut pas être déchiffrée."},
    {jwt_alg, "La preuve de votre identité est signée d’une façon que ce site n’accepte pas."},
    {jwt_crit, "La preuve de votre identité contient des conditions que ce site ne connaît pas."},
    {jwt_typ, "Le service de connexion a envoyé autre chose qu’une preuve de votre identité."},
    {jwt_key_unknown, "La preuve de votre identité est signée avec une clé inconnue."},
    {jwt_signature, "La preuve de votre identité ne porte pas de signature valide."},
    {id_token_iss, "La preuve de votre identité vient d’un autre service que prévu."},
    {id_token_aud, "La preuve de votre identité était destinée à un autre site."},
    {id_token_azp, "La preuve de votre identité était destinée à un autre site."},
    {id_token_exp, "La preuve de votre identité a expiré."},
    {id_token_nbf, "La preuve de votre identité n’est pas encore valable."},
    {id_token_iat, "La preuve de votre identité n’a pas été établie à une heure vraisemblable."},
    {id_token_nonce, "La preuve de votre identité n’appartient pas à cette connexion."},
    {id_token_sub, "La preuve de votre identité ne dit pas qui vous êtes."},
    {id_token_at_hash, "Les parties de la réponse de connexion ne correspondent pas entre elles."},
    {id_token_c_hash, "Les parties de la réponse de connexion ne correspondent pas entre elles."},
    {id_token_auth_time, "Votre dernière connexion est trop ancienne pour ce site."},
    {id_token_acr, "Ce site exige une connexion plus forte, par exemple avec un second facteur."},
    {id_token_claim, "La preuve de votre identité contient des informations inutilisables."},
    {logout_token_malformed, "Le jeton de déconnexion est illisible."},
    {logout_token_alg, "Le jeton de déconnexion est signé d’une façon que ce site n’accepte pas."},
    {logout_token_typ, "Ce qui a été envoyé n’est pas un jeton de déconnexion."},
    {logout_token_signature, "Le jeton de déconnexion ne porte pas de signature valide."},
    {logout_token_iss, "Le jeton de déconnexion vient d’un autre service que prévu."},
    {logout_token_aud, "Le jeton de déconnexion était destiné à un autre site."},
    {logout_token_exp, "Le jeton de déconnexion a expiré."},
    {logout_token_iat, "Le jeton de déconnexion n’a pas été établi à une heure vraisemblable."},
    {logout_token_jti, "Le jeton de déconnexion n’a pas d’identifiant."},
    {logout_token_replayed, "Le jeton de déconnexion a déjà servi."},
    {logout_token_events, "Le jeton de déconnexion ne dit pas que quelqu’un s’est déconnecté."},
    {logout_token_sub, "Le jeton de déconnexion ne dit pas qui s’est déconnecté."},
    {logout_token_nonce, "Le jeton de déconnexion contient un nonce, ce qui lui est interdit."},
    {signal_malformed, "L’avis de sécurité est illisible."},
    {signal_too_large, "L’avis de sécurité est trop grand."},
    {signal_bearer, "L’expéditeur de l’avis de sécurité n’est pas connu ici."},
    {signal_alg, "L’avis de sécurité est signé d’une façon que ce site n’accepte pas."},
    {signal_typ, "Ce qui a été envoyé n’est pas un avis de sécurité."},
    {signal_signature, "L’avis de sécurité ne porte pas de signature valide."},
    {signal_iss, "L’avis de sécurité vient d’un autre service que prévu."},
    {signal_aud, "L’avis de sécurité était destiné à un autre site."},
    {signal_exp, "L’avis de sécurité porte une date d’expiration, ce qui lui est interdit."},
    {signal_iat, "L’avis de sécurité n’a pas été établi à une heure vraisemblable."},
    {signal_jti, "L’avis de sécurité n’a pas d’identifiant."},
    {signal_events, "L’avis de sécurité ne dit pas ce qui s’est passé."},
    {signal_subject, "L’avis de sécurité ne dit pas à qui c’est arrivé."},
    {refresh_denied, "Votre connexion a pris fin auprès du service de connexion."},
    {revocation_failed, "Le service de connexion n’a pas révoqué ses jetons."},
    {userinfo_status, "Le service de connexion n’a pas envoyé les informations de votre compte."},
    {userinfo_denied,
     "Le service de connexion ne laisse pas ce site voir les informations de votre compte."},
    {userinfo_malformed, "Les informations de votre compte sont illisibles."},
    {userinfo_sub, "Le service de connexion a envoyé les informations d’un autre compte."},
    {username_missing,
     "Votre compte auprès du service de connexion n’a pas de nom d’utilisateur pour ce site."},
    {malformed, "La demande est incompréhensible."},
    {too_large, "La demande est trop grande."},
    {bearer_malformed, "La demande ne porte pas son jeton d’accès de la façon prévue."},
    {access_token_malformed, "Le jeton d’accès est illisible."},
    {access_token_alg, "Le jeton d’accès est signé d’une façon que ce site n’accepte pas."},
    {access_token_typ, "Ce qui a été envoyé n’est pas un jeton d’accès."},
    {access_token_signature, "Le jeton d’accès ne porte pas de signature valide."},
    {access_token_iss, "Le jeton d’accès vient d’un autre service que prévu."},
    {access_token_aud, "Le jeton d’accès était destiné à un autre site."},
    {access_token_exp, "Le jeton d’accès a expiré."},
    {access_token_iat, "Le jeton d’accès n’est pas encore valable."},
    {access_token_claim, "Le jeton d’accès ne dit pas qui l’envoie."},
    {access_token_binding, "Le jeton d’accès appartient à une autre clé ou à un autre certificat."},
    {dpop_proof_invalid,
     "La preuve que le jeton d’accès appartient à son expéditeur n’est pas valable."},
    {dpop_proof_replayed,
     "La preuve que le jeton d’accès appartient à son expéditeur a déjà servi."},
    {insufficient_scope, "Le jeton d’accès ne permet pas ce qui a été demandé."},
    {token_not_active, "Le jeton d’accès n’est pas valide ou ne l’est plus."},
    {introspection_unavailable,
     "Le service de connexion ne peut pas être interrogé sur le jeton d’accès pour le moment."},
    {introspection_malformed,
     "La réponse du service de connexion au sujet du jeton d’accès est inutilisable."},
    {introspection_busy, "Trop de jetons d’accès sont en cours de vérification en ce moment."},
    {claim_source_failed,
     "Un service dont ce site a besoin n’a pas confirmé des informations de votre compte."},
    {tenant_unlisted, "Les comptes de votre organisation ne permettent pas de se connecter ici."},
}};
static_assert(are_in_order(kTitlesFr), "titles stand in the order of the enum");

}  // namespace oidc
