"""The checker with access to everything of a private stack: topics, HTTP, mailbox, restricted topics, stores."""

from typing import Any

from pelangi.audit.options import AuditOptions
from pelangi.cli.access import access
from pelangi.local.private import PrivateStack

SERVICES = ("intake", "scheduling", "issuance", "notify")


def audit_options(stack: PrivateStack, **more: Any) -> AuditOptions:
    """Where everything of the stack is, and the development keys."""
    given = access(stores=True, restricted=True, local=True, database_port=stack.ports["database"])
    urls = {f"{name}_url": stack.url(name) for name in (*SERVICES, "mailbox")}
    return AuditOptions(
        kafka_bootstrap=stack.bootstrap,
        keys=given.keys,
        restricted_user=given.user,
        restricted_password=given.password,
        stores=given.stores,
        **urls,
        **more,
    )
