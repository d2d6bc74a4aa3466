// SPDX-License-Identifier: Apache-2.0

// The templates of F5's open ingress controller, executed by its own package for them, which is internal: so
// this is built as if it stood in the controller's source.
//
//	render SOURCE SITE FOLDER
//
// SITE is JSON: the snippets and what else of a site the templates ask for. All else has the controller's
// defaults (NewDefaultConfigParams). FOLDER gets nginx.conf and conf.d/site.conf.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nginx/kubernetes-ingress/internal/configs/version1"
)

type site struct {
	Main, HTTP, Server                               []string
	Namespace, Name, Host, Secret, Endpoint, Service string
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func mainConfig(s site) *version1.MainConfig {
	return &version1.MainConfig{
		AccessLog:                 "/dev/stdout main",
		ErrorLogLevel:             "notice",
		KeepaliveRequests:         1000,
		KeepaliveTimeout:          "75s",
		MapHashBucketSize:         "256",
		MapHashMaxSize:            "2048",
		NginxStatus:               true,
		NginxStatusAllowCIDRs:     []string{"127.0.0.1"},
		NginxStatusPort:           8080,
		ServerNamesHashBucketSize: "256",
		ServerNamesHashMaxSize:    "1024",
		VariablesHashBucketSize:   256,
		VariablesHashMaxSize:      1024,
		WorkerConnections:         "1024",
		WorkerProcesses:           "auto",
		DynamicSSLReloadEnabled:   true,
		StaticSSLPath:             "/etc/nginx/secrets",
		MainSnippets:              s.Main,
		HTTPSnippets:              s.HTTP,
	}
}

func siteConfig(s site) *version1.IngressNginxConfig {
	upstream := version1.Upstream{
		Name:             s.Namespace + "-" + s.Name + "-" + s.Host + "-" + s.Service + "-80",
		LBMethod:         "random two least_conn",
		UpstreamZoneSize: "256k",
		UpstreamServers:  []version1.UpstreamServer{{Address: s.Endpoint, MaxFails: 1, FailTimeout: "10s"}},
	}
	return &version1.IngressNginxConfig{
		Ingress:                 version1.Ingress{Namespace: s.Namespace, Name: s.Name},
		Upstreams:               []version1.Upstream{upstream},
		DynamicSSLReloadEnabled: true,
		StaticSSLPath:           "/etc/nginx/secrets",
		Servers: []version1.Server{{
			Name:              s.Host,
			StatusZone:        s.Host,
			ServerTokens:      "on",
			Ports:             []int{80},
			SSLPorts:          []int{443},
			SSL:               true,
			SSLCertificate:    s.Secret,
			SSLCertificateKey: s.Secret,
			SSLRedirect:       true,
			HTTPRedirectCode:  301,
			HSTSMaxAge:        2592000,
			ServerSnippets:    s.Server,
			Locations: []version1.Location{{
				Path:                "/",
				ServiceName:         s.Service,
				Upstream:            upstream,
				ProxyPass:           "http://" + upstream.Name,
				ProxyConnectTimeout: "60s",
				ProxyReadTimeout:    "60s",
				ProxySendTimeout:    "60s",
				ClientMaxBodySize:   "1m",
				ProxyBuffering:      true,
			}},
		}},
	}
}

func main() {
	templates, folder := filepath.Join(os.Args[1], "internal/configs/version1"), os.Args[3]
	text, err := os.ReadFile(os.Args[2])
	must(err)
	var s site
	must(json.Unmarshal(text, &s))
	executor, err := version1.NewTemplateExecutor(filepath.Join(templates, "nginx.tmpl"),
		filepath.Join(templates, "nginx.ingress.tmpl"))
	must(err)
	main, err := executor.ExecuteMainConfigTemplate(mainConfig(s))
	must(err)
	made, err := executor.ExecuteIngressConfigTemplate(siteConfig(s))
	must(err)
	must(os.MkdirAll(filepath.Join(folder, "conf.d"), 0o700))
	must(os.WriteFile(filepath.Join(folder, "nginx.conf"), main, 0o600))
	must(os.WriteFile(filepath.Join(folder, "conf.d/site.conf"), made, 0o600))
}
