// SPDX-License-Identifier: Apache-2.0

// The example provider of zitadel/oidc behind TLS, with what its storage leaves out: keys that change,
// tokens that live for a short while, users who are disabled, and where a logout may lead.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

type settings struct {
	Issuer       string   `json:"issuer"`
	Listen       string   `json:"listen"`
	Admin        string   `json:"admin"`
	Cert         string   `json:"cert"`
	Key          string   `json:"key"`
	Users        string   `json:"users"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	RedirectURIs []string `json:"redirect_uris"`
	LogoutURIs   []string `json:"post_logout_redirect_uris"`
	TokenSeconds int      `json:"token_seconds"`
}

// signingKey is the private half for tokens, publicKey the other one for the key set.
type signingKey struct {
	id  string
	alg jose.SignatureAlgorithm
	key crypto.Signer
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return k.alg }
func (k signingKey) Key() any                                    { return k.key }

type publicKey struct{ signingKey }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return k.alg }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return k.key.Public() }

type client struct {
	op.Client
	logoutURIs []string
}

func (c client) PostLogoutRedirectURIs() []string { return c.logoutURIs }

type provider struct {
	*storage.Storage
	settings settings

	lock       sync.Mutex
	signing    signingKey
	generation int
	disabled   bool
}

// changeKey makes a key that has another name than the last one, unless the name is given.
func (p *provider) changeKey(alg, name string) error {
	var key crypto.Signer
	var err error
	switch jose.SignatureAlgorithm(alg) {
	case jose.RS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		err = fmt.Errorf("no key for %q", alg)
	}
	if err != nil {
		return err
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if name == "" {
		p.generation++
		name = fmt.Sprintf("%s-%d", alg, p.generation)
	}
	p.signing = signingKey{name, jose.SignatureAlgorithm(alg), key}
	return nil
}

func (p *provider) current() signingKey {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.signing
}

func (p *provider) SigningKey(context.Context) (op.SigningKey, error) { return p.current(), nil }

func (p *provider) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{p.current().alg}, nil
}

func (p *provider) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{publicKey{p.current()}}, nil
}

func (p *provider) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	found, err := p.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{found, p.settings.LogoutURIs}, nil
}

func (p *provider) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, current string) (string, string, time.Time, error) {
	access, refresh, _, err := p.Storage.CreateAccessAndRefreshTokens(ctx, request, current)
	return access, refresh, time.Now().Add(time.Duration(p.settings.TokenSeconds) * time.Second), err
}

func (p *provider) TokenRequestByRefreshToken(ctx context.Context, token string) (op.RefreshTokenRequest, error) {
	p.lock.Lock()
	disabled := p.disabled
	p.lock.Unlock()
	if disabled {
		return nil, errors.New("the user is disabled")
	}
	return p.Storage.TokenRequestByRefreshToken(ctx, token)
}

// admin is what the tests tell it.
func (p *provider) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /key/{alg}", func(w http.ResponseWriter, r *http.Request) {
		if err := p.changeKey(r.PathValue("alg"), ""); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("POST /replace", func(w http.ResponseWriter, _ *http.Request) {
		now := p.current()
		if err := p.changeKey(string(now.alg), now.id); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /disable", func(http.ResponseWriter, *http.Request) {
		p.lock.Lock()
		defer p.lock.Unlock()
		p.disabled = true
	})
	return mux
}

func run() error {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	var s settings
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	users, err := storage.StoreFromFile(s.Users)
	if err != nil {
		return err
	}
	storage.RegisterClients(storage.WebClient(s.ClientID, s.ClientSecret, s.RedirectURIs...))
	p := &provider{Storage: storage.NewStorage(users), settings: s}
	if err := p.changeKey("RS256", ""); err != nil {
		return err
	}
	go func() { log.Fatal(http.ListenAndServe(s.Admin, p.admin())) }()
	return http.ListenAndServeTLS(s.Listen, s.Cert, s.Key, exampleop.SetupServer(s.Issuer, p, nil, false))
}

func main() { log.Fatal(run()) }
