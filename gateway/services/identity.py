"""Who asks: the names that the API needs of accounts and access."""

from gateway.records.access import Audience, Viewer, audience_of
from gateway.records.accounts import Accounts, Credential, Issued, TokenRecord
from gateway.records.audit import Act, AuditEntry, AuditTrail

__all__ = [
    "Accounts",
    "Act",
    "Audience",
    "AuditEntry",
    "AuditTrail",
    "Credential",
    "Issued",
    "TokenRecord",
    "Viewer",
    "audience_of",
]
