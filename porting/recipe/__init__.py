"""The recipe "How to add a model to Transformers": its 14 steps, and what each of them claims."""

from __future__ import annotations

from porting.recipe.claims import Claim, PersonClaim
from porting.recipe.joining import all_claims, claims_of
from porting.recipe.steps import STEPS, Step

__all__ = ["STEPS", "Claim", "PersonClaim", "Step", "all_claims", "claims_of"]
