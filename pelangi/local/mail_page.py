"""The mailbox page: a plain list, newest first, without any script or outside address."""

from collections.abc import Callable, Sequence
from html import escape

from pelangi.local.mail_store import Mail

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:1rem;color:#1a1a1a;background:#fff}
li{list-style:none;border-top:1px solid #ccc;padding:.6rem 0}ul{padding:0}
pre{white-space:pre-wrap;font:inherit;background:#f4f4f4;padding:.8rem}
summary{cursor:pointer}small{color:#555}.twice{color:#a30000;font-weight:bold}
"""


def render(mails: Sequence[Mail], total: int, older: int | None, count: Callable[[str], int]) -> str:
    """The whole page."""
    rows = "".join(_row(mail, count(mail.message_id)) for mail in mails) or "<li>Belum ada surat.</li>"
    more = f'<p><a href="/?before={older}">Surat yang lebih lama</a></p>' if older else ""
    return (
        '<!doctype html><html lang="id"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Kotak surat percobaan</title><style>{_STYLE}</style></head><body><main><h1>Kotak surat percobaan</h1>"
        f"<p>{total} surat diterima. Tidak ada yang dikirim ke luar komputer ini.</p><ul>{rows}</ul>{more}</main></body></html>"
    )


def _row(mail: Mail, count: int) -> str:
    twice = f' <span class="twice">diterima {count} kali</span>' if count > 1 else ""
    return (
        f"<li><details><summary><strong>{escape(mail.subject or '(tanpa judul)')}</strong>{twice}<br>"
        f"<small>kepada {escape(', '.join(mail.to))} · {escape(mail.received_at)}</small></summary>"
        f"<pre>{escape(mail.text)}</pre><small>Message-ID: {escape(mail.message_id)} "
        f"· dari {escape(mail.sender)}</small></details></li>"
    )
