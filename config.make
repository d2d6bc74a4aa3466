# SPDX-License-Identifier: Apache-2.0
# Read by nginx's auto/make when the Makefile is written.
#
# nginx has one CFLAGS for everything, and -std=c++20 would break its C files: so each object of
# ours gets its flags by a target-specific variable. nginx's own directories are named as system
# directories, which keeps our warnings to our files. nginx makes warnings errors; for our files whoever
# calls make decides that by OIDC_CXXFLAGS: a newer compiler warns of what is no fault. nginx defines the width
# of off_t in a header of its own, which comes too late behind a standard one.

oidc_objs=
for oidc_src in $oidc_srcs; do
    oidc_obj=`basename \`dirname $oidc_src\``/`basename $oidc_src .cpp`.$ngx_objext
    oidc_objs="$oidc_objs $NGX_OBJS/addon/$oidc_obj"
done

oidc_system=
for oidc_inc in $CORE_INCS $HTTP_INCS $NGX_OBJS; do
    case "$oidc_inc" in
        $oidc_dir/*) ;;
        *) oidc_system="$oidc_system -isystem $oidc_inc" ;;
    esac
done

cat << END                                                    >> $NGX_MAKEFILE

$oidc_objs: CFLAGS += -std=c++20 -O2 -D_FILE_OFFSET_BITS=64 -fvisibility=hidden -Wall -Wextra -Wunused-parameter -Wno-error \\
	$oidc_cflags $oidc_system \$(OIDC_CXXFLAGS)

END
