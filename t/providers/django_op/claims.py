# SPDX-License-Identifier: Apache-2.0
"""What ID tokens and UserInfo say of a user, by scope."""

from oauth2_provider.oauth2_validators import OAuth2Validator


class Claims(OAuth2Validator):
    oidc_claim_scope = {**OAuth2Validator.oidc_claim_scope, "groups": "groups"}

    def get_additional_claims(self, request):
        user = request.user
        return {"name": user.get_full_name(), "preferred_username": user.get_username(),
                "email": user.email, "groups": sorted(g.name for g in user.groups.all())}
