// SPDX-License-Identifier: Apache-2.0
// Portuguese, in words that Brazil and Portugal share, without a form of address.
#include "oidc/page_texts.hpp"

namespace oidc {

using enum Reason;

constexpr PageTexts kTextsPt{
    .problem = "Problema ao iniciar sessão",
    .signed_out_title = "Sessão encerrada",
    .one_moment = "Um momento",
    .sign_in = "Iniciar sessão",
    .sign_in_again = "Iniciar sessão novamente",
    .sign_out = "Encerrar sessão",
    .sign_out_there = "Encerrar também lá",
    .start_again = "Começar de novo",
    .go_on = "Continuar",
    .reference = "Referência para o administrador:",
    .signed_out = "A sua sessão foi encerrada.",
    .close_browser = "Se outras pessoas usam este computador, feche agora o navegador.",
    .signed_out_here = "A sua sessão neste site foi encerrada.",
    .one_more_step =
        "Com mais um passo, a sessão no serviço de autenticação também será encerrada.",
    .to_sign_in = "A caminho da página de início de sessão",
    .to_page = "A caminho da página",
    .if_nothing = "Se nada acontecer, use este botão.",
    .choose = "Escolha da conta",
    .choose_why =
        "Mais de um serviço de autenticação dá acesso a este site. Use aquele em que tem uma "
        "conta.",
    .used_last = "usado por último",
    .email = "Endereço de e-mail",
    .email_unknown =
        "Nenhum serviço de autenticação corresponde a este endereço. Verifique-o ou escolha um da "
        "lista.",
    .login_required =
        {"Não iniciou sessão, ou a sua última sessão terminou. Se acabou de enviar algo, isso não "
         "chegou.",
         "Se preencheu um formulário, volte primeiro à página anterior: muitas vezes o navegador "
         "ainda tem o que foi escrito. Depois inicie sessão e envie outra vez."},
    .insufficient =
        {"Esta página exige um início de sessão mais recente ou mais forte do que o seu. Se acabou "
         "de enviar algo, isso não chegou.",
         "Se preencheu um formulário, volte primeiro à página anterior: muitas vezes o navegador "
         "ainda tem o que foi escrito. Depois inicie sessão novamente e envie outra vez."},
    .cross_origin =
        {"Uma página de outro site fez o seu navegador enviar este pedido. O pedido não chegou.",
         "Se era isso que queria fazer, abra este site e faça-o aqui. Se acontecer em um site em "
         "que confia, avise o seu administrador."},
    .logout_cross_site = {"Este pedido veio de um link ou de um formulário de outro site. A sua "
                          "sessão continua aberta.",
                          "Se quiser encerrar a sessão, use o botão."},
    .initiation = {"O link que abriu esta página vem de outro site, por exemplo de uma página do "
                   "serviço de autenticação, e não serve para este site.",
                   "Abra este site diretamente e inicie sessão nele. Se precisa do link, diga ao "
                   "seu administrador onde está."},
    .access_denied =
        {"O início de sessão foi cancelado, ou o serviço de autenticação não admite esta conta.",
         "Comece de novo para usar outra conta. Se deveria ter acesso, peça acesso ao seu "
         "administrador."},
    .stronger = {"O serviço de autenticação permitiu a entrada sem isso.",
                 "Configure um segundo fator no serviço de autenticação e comece de novo. Se já "
                 "tem um e ele não foi pedido, avise o seu administrador."},
    .auth_time = {"O serviço de autenticação não pediu um novo início de sessão.",
                  "Encerre a sessão no serviço de autenticação e comece de novo. Se acontecer "
                  "outra vez, avise o seu administrador."},
    .account = {"Tudo funciona, mas esta conta não foi admitida.",
                "Se tem várias contas, tente com outra. Se deveria ter acesso, peça acesso ao seu "
                "administrador."},
    .browser =
        {"Isto acontece quando um início de sessão fica aberto durante muito tempo, é retomado a "
         "partir de um favorito ou com o botão Voltar, ou quando o navegador bloqueia cookies.",
         "Comece de novo em uma única aba, com cookies permitidos para este site."},
    .provider =
        "Este site perguntou ao serviço de autenticação pela sua identidade e não recebeu nenhuma "
        "resposta que pudesse aceitar. A sessão não foi iniciada aqui.",
    .wait =
        "Aguarde um minuto e comece de novo. Se acontecer outra vez, avise o seu administrador.",
    .no_use_waiting =
        "Comece de novo uma vez. Se acontecer outra vez, esperar não ajudará: avise o seu "
        "administrador.",
    .misfit = {"Este site e o serviço de autenticação não estão configurados para funcionar em "
               "conjunto. Não cometeu nenhum erro.",
               "Avise o seu administrador, que pode corrigir isso."},
    .server = "Não foi possível concluir o pedido. Não cometeu nenhum erro.",
    .sign_in_there_title = "O serviço de autenticação precisa primeiro de algo.",
    .sign_in_there =
        {"O serviço de autenticação quer primeiro pedir algo, por exemplo iniciar sessão, escolher "
         "uma conta ou dar consentimento, e isso não lhe foi permitido.",
         "Abra o serviço de autenticação em outra aba e inicie sessão lá. Depois comece de "
         "novo. Se acontecer outra vez, avise o seu administrador."},
    .stronger_there = {"O serviço de autenticação não consegue iniciar a sessão dessa forma.",
                       "Configure um segundo fator no serviço de autenticação e comece de novo. Se "
                       "já tem um, avise o seu administrador."},
    .later_title = "O serviço de autenticação não está disponível neste momento.",
    .later = {"Está sobrecarregado ou em manutenção. A causa não é a sua conta.",
              "Aguarde alguns minutos e comece de novo."},
    .again_later_title = "Ocorreu um erro no serviço de autenticação.",
    .again_later =
        "É o próprio serviço que o indica. Não cometeu nenhum erro, e a sessão não foi iniciada "
        "aqui.",
    .not_taken_title = "O seu serviço de autenticação não aceitou o pedido deste site.",
};

constexpr PageTitles kTitlesPt{{
    {internal_error, "Ocorreu um erro neste servidor."},
    {store_full, "Há demasiadas sessões abertas neste momento."},
    {store_unavailable, "Este servidor não consegue verificar neste momento quem iniciou sessão."},
    {store_unsupported,
     "Este servidor guarda as sessões nos navegadores e por isso não as pode listar; um "
     "armazenamento de sessões de outro tipo pode."},
    {session_too_large, "A sua conta contém mais informação do que este servidor pode guardar."},
    {assertion_too_large,
     "A sua conta contém mais informação do que se pode comunicar à aplicação."},
    {login_required, "Inicie sessão para ver esta página."},
    {insufficient_user_authentication,
     "Inicie sessão novamente, ou de uma forma mais forte, para ver esta página."},
    {not_permitted, "A sua conta não tem permissão para ver esta página."},
    {cross_origin_request, "Outro site enviou este pedido em seu nome."},
    {callback_method, "Esta página não pode ser usada desta forma."},
    {callback_malformed,
     "Não é possível ler a resposta de autenticação que o seu navegador trouxe."},
    {callback_too_large,
     "A resposta de autenticação que o seu navegador trouxe é demasiado grande."},
    {callback_not_https, "Para iniciar sessão é necessária uma conexão segura (https)."},
    {initiation_malformed, "O link que abriu esta página não pode ser usado para iniciar sessão."},
    {initiation_issuer, "O link que abriu esta página pertence a outro serviço de autenticação."},
    {state_missing, "Este início de sessão não foi começado neste navegador."},
    {state_unknown, "Este início de sessão não foi começado neste navegador."},
    {state_expired, "Este início de sessão demorou demasiado e expirou."},
    {state_replayed, "Este início de sessão já foi usado."},
    {issuer_missing, "A resposta de autenticação não diz de que serviço vem."},
    {issuer_mix_up,
     "A resposta de autenticação vem de um serviço diferente do que foi consultado."},
    {response_unsigned, "A resposta de autenticação não está assinada, embora este site o exija."},
    {response_signature, "A resposta de autenticação não tem uma assinatura válida."},
    {response_aud, "A resposta de autenticação foi feita para outro site."},
    {response_exp, "A resposta de autenticação expirou."},
    {logout_cross_site, "Outro site tentou encerrar a sua sessão, por isso nada foi feito."},
    {logout_malformed, "Não é possível compreender o pedido para encerrar a sessão."},
    {logout_too_large, "O pedido para encerrar a sessão é demasiado grande."},
    {access_denied, "O início de sessão foi cancelado ou não foi permitido."},
    {idp_error, "O serviço de autenticação comunicou um erro."},
    {idp_connect, "Não é possível alcançar o serviço de autenticação."},
    {idp_timeout, "O serviço de autenticação demorou demasiado a responder."},
    {idp_tls, "A conexão com o serviço de autenticação não é segura, por isso não foi usada."},
    {idp_http, "O serviço de autenticação deu uma resposta que não pode ser lida."},
    {idp_too_large, "O serviço de autenticação enviou demasiados dados."},
    {idp_redirect, "O serviço de autenticação mudou para outro endereço."},
    {idp_busy, "Demasiadas pessoas iniciam sessão neste momento."},
    {metadata_unavailable, "Não é possível obter as configurações do serviço de autenticação."},
    {metadata_invalid, "Não é possível usar as configurações do serviço de autenticação."},
    {metadata_issuer, "O serviço de autenticação não tem o nome que este site espera."},
    {jwks_unavailable, "Não é possível obter as chaves do serviço de autenticação."},
    {jwks_invalid, "Não é possível usar as chaves do serviço de autenticação."},
    {par_status, "O serviço de autenticação não começou o início de sessão."},
    {par_malformed, "O serviço de autenticação deu uma resposta que não pode ser lida."},
    {par_error, "O serviço de autenticação não aceitou o pedido deste site."},
    {token_status, "O serviço de autenticação não concluiu o início de sessão."},
    {token_malformed, "O serviço de autenticação deu uma resposta que não pode ser lida."},
    {token_error, "O serviço de autenticação não concluiu o início de sessão."},
    {code_refused, "O serviço de autenticação já não aceita este início de sessão."},
    {token_client_auth, "O serviço de autenticação não reconhece este site."},
    {token_type, "O serviço de autenticação enviou um tipo de token que este site não pode usar."},
    {token_no_id_token, "O serviço de autenticação não informou a sua identidade."},
    {jwt_malformed, "Não é possível ler a prova da sua identidade."},
    {jwt_encrypted, "A prova da sua identidade está cifrada para outro destinatário."},
    {jwt_not_encrypted, "A prova da sua identidade não está cifrada, embora este site o exija."},
    {jwt_decryption, "Não é possível decifrar a prova da sua identidade."},
    {jwt_alg, "A prova da sua identidade está assinada de uma forma que este site não aceita."},
    {jwt_crit, "A prova da sua identidade contém condições que este site não conhece."},
    {jwt_typ, "O serviço de autenticação enviou algo diferente de uma prova da sua identidade."},
    {jwt_key_unknown, "A prova da sua identidade está assinada com uma chave desconhecida."},
    {jwt_signature, "A prova da sua identidade não tem uma assinatura válida."},
    {id_token_iss, "A prova da sua identidade vem de um serviço diferente do esperado."},
    {id_token_aud, "A prova da sua identidade foi feita para outro site."},
    {id_token_azp, "A prova da sua identidade foi feita para outro site."},
    {id_token_exp, "A prova da sua identidade expirou."},
    {id_token_nbf, "A prova da sua identidade ainda não é válida."},
    {id_token_iat, "A prova da sua identidade não foi feita em um momento credível."},
    {id_token_nonce, "A prova da sua identidade não pertence a este início de sessão."},
    {id_token_sub, "A prova da sua identidade não diz a quem pertence."},
    {id_token_at_hash, "As partes da resposta de autenticação não combinam entre si."},
    {id_token_c_hash, "As partes da resposta de autenticação não combinam entre si."},
    {id_token_auth_time, "O seu último início de sessão é demasiado antigo para este site."},
    {id_token_acr,
     "Este site exige uma forma mais forte de iniciar sessão, por exemplo com um segundo fator."},
    {id_token_claim, "A prova da sua identidade contém dados que não podem ser usados."},
    {logout_token_malformed, "Não é possível ler o token de fim de sessão."},
    {logout_token_alg,
     "O token de fim de sessão está assinado de uma forma que este site não aceita."},
    {logout_token_typ, "O que foi enviado não é um token de fim de sessão."},
    {logout_token_signature, "O token de fim de sessão não tem uma assinatura válida."},
    {logout_token_iss, "O token de fim de sessão vem de um serviço diferente do esperado."},
    {logout_token_aud, "O token de fim de sessão foi feito para outro site."},
    {logout_token_exp, "O token de fim de sessão expirou."},
    {logout_token_iat, "O token de fim de sessão não foi feito em um momento credível."},
    {logout_token_jti, "O token de fim de sessão não tem identificador."},
    {logout_token_replayed, "O token de fim de sessão já foi usado."},
    {logout_token_events, "O token de fim de sessão não diz que alguém encerrou a sessão."},
    {logout_token_sub, "O token de fim de sessão não diz quem encerrou a sessão."},
    {logout_token_nonce, "O token de fim de sessão contém um nonce, que não pode conter."},
    {signal_malformed, "Não é possível ler o aviso de segurança."},
    {signal_too_large, "O aviso de segurança é demasiado grande."},
    {signal_bearer, "O remetente do aviso de segurança não é conhecido aqui."},
    {signal_alg, "O aviso de segurança está assinado de uma forma que este site não aceita."},
    {signal_typ, "O que foi enviado não é um aviso de segurança."},
    {signal_signature, "O aviso de segurança não tem uma assinatura válida."},
    {signal_iss, "O aviso de segurança vem de um serviço diferente do esperado."},
    {signal_aud, "O aviso de segurança foi feito para outro site."},
    {signal_exp, "O aviso de segurança tem um prazo de validade, que não pode ter."},
    {signal_iat, "O aviso de segurança não foi feito em um momento credível."},
    {signal_jti, "O aviso de segurança não tem identificador."},
    {signal_events, "O aviso de segurança não diz o que aconteceu."},
    {signal_subject, "O aviso de segurança não diz a quem aconteceu."},
    {refresh_denied, "A sua sessão terminou no serviço de autenticação."},
    {revocation_failed, "O serviço de autenticação não revogou os seus tokens."},
    {userinfo_status, "O serviço de autenticação não enviou os dados da sua conta."},
    {userinfo_denied, "O serviço de autenticação não deixa este site ver os dados da sua conta."},
    {userinfo_malformed, "Não é possível ler os dados da sua conta."},
    {userinfo_sub, "O serviço de autenticação enviou os dados de outra conta."},
    {username_missing, "A sua conta no serviço de autenticação não tem um nome para este site."},
    {malformed, "Não é possível compreender o pedido."},
    {too_large, "O pedido é demasiado grande."},
    {bearer_malformed, "O pedido não traz o token de acesso da forma esperada."},
    {access_token_malformed, "Não é possível ler o token de acesso."},
    {access_token_alg, "O token de acesso está assinado de uma forma que este site não aceita."},
    {access_token_typ, "O que foi enviado não é um token de acesso."},
    {access_token_signature, "O token de acesso não tem uma assinatura válida."},
    {access_token_iss, "O token de acesso vem de um serviço diferente do esperado."},
    {access_token_aud, "O token de acesso foi feito para outro site."},
    {access_token_exp, "O token de acesso expirou."},
    {access_token_iat, "O token de acesso ainda não é válido."},
    {access_token_claim, "O token de acesso não diz quem o envia."},
    {access_token_binding, "O token de acesso pertence a outra chave ou a outro certificado."},
    {dpop_proof_invalid, "A prova de que o token de acesso pertence a quem o envia não é válida."},
    {dpop_proof_replayed, "A prova de que o token de acesso pertence a quem o envia já foi usada."},
    {insufficient_scope, "O token de acesso não permite o que foi pedido."},
    {token_not_active, "O token de acesso não é válido ou deixou de o ser."},
    {introspection_unavailable,
     "De momento não é possível perguntar ao serviço de autenticação pelo token de acesso."},
    {introspection_malformed,
     "A resposta do serviço de autenticação sobre o token de acesso não pode ser usada."},
    {introspection_busy, "De momento estão a ser verificados demasiados tokens de acesso."},
    {claim_source_failed, "Um serviço de que este site precisa não confirmou dados da sua conta."},
    {tenant_unlisted, "As contas da sua organização não permitem iniciar sessão aqui."},
}};
static_assert(are_in_order(kTitlesPt), "titles stand in the order of the enum");

}  // namespace oidc
