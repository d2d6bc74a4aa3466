// SPDX-License-Identifier: Apache-2.0
package op;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSelector;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.proc.SecurityContext;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.configuration.WebSecurityCustomizer;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.oauth2.core.OAuth2AuthenticationException;
import org.springframework.security.oauth2.core.OAuth2ErrorCodes;
import org.springframework.security.oauth2.core.oidc.endpoint.OidcParameterNames;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.TokenSettings;
import org.springframework.security.oauth2.server.authorization.token.JwtEncodingContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenCustomizer;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;
import org.springframework.security.provisioning.UserDetailsManager;
import org.springframework.stereotype.Component;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

/** Spring Boot's authorization server, configured by properties. It has one user, and is told at
 * /test/ that its key changes and that the user is disabled. */
@SpringBootApplication
@EnableConfigurationProperties(Main.Person.class)
public class Main {
    @ConfigurationProperties("person")
    record Person(
        String username, String password, String name, String email, List<String> groups) {}

    public static void main(String[] args) {
        SpringApplication.run(Main.class, args);
    }

    @Bean
    UserDetailsManager users(Person person) {
        return new InMemoryUserDetailsManager(
            User.withUsername(person.username()).password("{noop}" + person.password()).build());
    }

    @Bean
    OAuth2TokenCustomizer<JwtEncodingContext> tokens(UserDetailsService users, Person person) {
        return context -> {
            // A refresh does not look at the user by itself.
            if (!users.loadUserByUsername(context.getPrincipal().getName()).isEnabled()) {
                throw new OAuth2AuthenticationException(OAuth2ErrorCodes.INVALID_GRANT);
            }
            if (context.getTokenType().getValue().equals(OidcParameterNames.ID_TOKEN)) {
                context.getClaims().claims(claims -> claims.putAll(Map.of(
                    "preferred_username", person.username(), "name", person.name(),
                    "email", person.email(), "groups", person.groups())));
            } else {
                // RS256 by itself, whatever ID tokens are signed with.
                var settings = context.getRegisteredClient().getTokenSettings();
                context.getJwsHeader().algorithm(settings.getIdTokenSignatureAlgorithm());
            }
        };
    }

    @Component
    static class Keys implements JWKSource<SecurityContext> {
        private volatile JWK current;

        Keys() throws JOSEException {
            change("RS256", UUID.randomUUID().toString());
        }

        void change(String alg, String name) throws JOSEException {
            var generator = alg.equals("ES256") ? new ECKeyGenerator(Curve.P_256)
                                                : new RSAKeyGenerator(2048);
            current = generator.keyID(name).keyUse(KeyUse.SIGNATURE)
                .algorithm(JWSAlgorithm.parse(alg)).generate();
        }

        @Override
        public List<JWK> get(JWKSelector selector, SecurityContext context) {
            return selector.select(new JWKSet(current));
        }
    }

    @Bean
    WebSecurityCustomizer openToTheTests() {
        return web -> web.ignoring().requestMatchers("/test/**");
    }

    @RestController
    @RequestMapping("/test")
    record Tests(
        Keys keys, RegisteredClientRepository clients, UserDetailsManager users, Person person) {
        @PostMapping("/key/{alg}/{client}")
        void changeKey(@PathVariable String alg, @PathVariable String client) throws JOSEException {
            keys.change(alg, UUID.randomUUID().toString());
            RegisteredClient former = clients.findByClientId(client);
            clients.save(RegisteredClient.from(former).tokenSettings(
                TokenSettings.withSettings(former.getTokenSettings().getSettings())
                    .idTokenSignatureAlgorithm(SignatureAlgorithm.from(alg)).build()).build());
        }

        @PostMapping("/replace")
        void replaceKey() throws JOSEException {
            keys.change(keys.current.getAlgorithm().getName(), keys.current.getKeyID());
        }

        @PostMapping("/disable")
        void disable() {
            users.updateUser(User.withUserDetails(users.loadUserByUsername(person.username()))
                .disabled(true).build());
        }
    }
}
