"""Pages as a person reads them."""

from __future__ import annotations

import html
import re
from typing import Any

from storage.postgres.pool import Pool


def seen(page: str) -> str:
    """The words on a page: no tags, blanks made one."""
    main = re.search("<main.*</main>", page, re.DOTALL)
    text = re.sub("<title>.*?</title>|<[^>]+>", " ", main[0] if main else page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(text))


def addresses(page: str) -> list[str]:
    """Whom the rows of the queue are for."""
    return re.findall(r'class="who-for"><a href="[^"]+">([^<]+)</a>', page)


def told(pool: Pool, topic: str) -> list[dict[str, Any]]:
    """What the log says under a topic, in order."""
    with pool.transaction() as cursor:
        cursor.execute("SELECT state FROM event_log WHERE topic = %s ORDER BY position", (topic,))
        return [state for (state,) in cursor.fetchall()]


def rows(page: str) -> list[list[str]]:
    """The cells of all tables' bodies, row by row."""
    bodies = "".join(re.findall("<tbody>.*?</tbody>", page, re.DOTALL))
    return [
        [
            re.sub(r"\s+", " ", re.sub("<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr.*?</tr>", bodies, re.DOTALL)
    ]
