// SPDX-License-Identifier: Apache-2.0

// `helm template NAME CHART --namespace NAMESPACE -f VALUES --skip-schema-validation` by helm's own packages,
// and by few of them, since the whole program takes long to build:
//
//	helm-template NAME CHART NAMESPACE VALUES
package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	chart, err := loader.Load(os.Args[2])
	must(err)
	given, err := chartutil.ReadValuesFile(os.Args[4])
	must(err)
	must(chartutil.ProcessDependencies(chart, given))
	// Charts' schemas name others on the internet.
	values, err := chartutil.ToRenderValuesWithSchemaValidation(chart, given, chartutil.ReleaseOptions{
		Name: os.Args[1], Namespace: os.Args[3], Revision: 1, IsInstall: true},
		chartutil.DefaultCapabilities, true)
	must(err)
	files, err := engine.Render(chart, values)
	must(err)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) == ".yaml" && strings.TrimSpace(files[name]) != "" {
			fmt.Printf("---\n# Source: %s\n%s\n", name, files[name])
		}
	}
}
