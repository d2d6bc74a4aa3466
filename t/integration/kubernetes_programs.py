# SPDX-License-Identifier: Apache-2.0
"""What renders ops/kubernetes: kustomize, helm's packages and F5's open ingress controller, in build/providers. Only
`./build.sh kubernetes` gets them, since they take Go and minutes; elsewhere their tests are skipped."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from harness.nginx import ROOT

KUSTOMIZE = "5.8.1"
HELM = "3.22.0"
CONTROLLER = "5.5.4"
WANTED = os.environ.get("OIDC_KUBERNETES", "") not in ("", "0")
HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE / "ingress_controller" / "main.go"


def _got(get):
    if not WANTED:
        pytest.skip("./build.sh kubernetes renders it")
    sys.path.append(str(ROOT / "t/providers"))
    import obtain  # pylint: disable=import-outside-toplevel
    try:
        return get(obtain)
    except obtain.Unavailable as error:
        pytest.skip(f"cannot be had: {error}")
    finally:
        sys.path.remove(str(ROOT / "t/providers"))


def _installed():
    """A kustomize of this machine, 5.0 or later: no package list brings it, but it may be there."""
    for command, version in ((["kubectl", "kustomize"], ["version", "--client"]), (["kustomize", "build"], ["version"])):
        if shutil.which(command[0]):
            said = subprocess.run([command[0], *version], capture_output=True, text=True, check=False, timeout=60).stdout
            if re.search(r"(Kustomize Version: |^)v([5-9]|\d\d)\.", said, re.M):
                return command
    return None


def kustomize_command():
    if not WANTED and _installed():
        return _installed()
    return [_got(lambda obtain: obtain.go_program("kustomize", "sigs.k8s.io/kustomize/kustomize/v5", f"v{KUSTOMIZE}")), "build"]


def helm_template():
    """helm_template/main.go: of helm what makes documents of a chart."""
    return _got(lambda obtain: obtain.go_program("helm-template", "helm.sh/helm/v3", f"v{HELM}",
                                                 source=HERE / "helm_template" / "main.go"))


def controller_source():
    """The controller's repository, in which its chart is."""
    def get(obtain):
        return obtain.once(f"kubernetes-ingress-{CONTROLLER}", lambda folder: obtain.run(
            [obtain.program("git"), "clone", "-q", "--depth", "1", "--branch", f"v{CONTROLLER}", "-c",
             "advice.detachedHead=false", "https://github.com/nginx/kubernetes-ingress.git", folder],
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"}))
    return _got(get)


def controller_renderer():
    """ingress_controller/main.go, built as if it stood in the controller's repository."""
    source = controller_source()
    written = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:8]

    def get(obtain):
        def make(folder):
            place = source / "cmd" / "render" / "main.go"
            (folder / "overlay.json").write_text(f'{{"Replace": {{"{place}": "{SOURCE}"}}}}\n')
            obtain.run([obtain.program("go"), "build", "-buildvcs=false", "-overlay", folder / "overlay.json",
                        "-ldflags", "-s -w", "-o", folder / "render", "./cmd/render"], cwd=source)
        return obtain.once(f"ingress-render-{CONTROLLER}-{written}", make) / "render"
    return _got(get)
