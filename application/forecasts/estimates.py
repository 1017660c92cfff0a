"""Estimates: the forecast at the start of a campaign, kept to be compared with what came of it."""

from __future__ import annotations

from application.forecasts.situations import estimated, situation
from application.installation import Installation
from domain.forecast.forecast import Forecast
from storage.log.append import Conflict


class Estimates:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def forecast(self, number: int) -> Forecast:
        """As the whole log has it. Raises Missing."""
        self._installation.catch_up()
        with self._installation.reading() as cursor:
            now = self._installation.clock.now()
            return situation(cursor, number, now, self._installation.audiences).forecast()

    def keep(self, number: int, forecast: Forecast, by: str) -> None:
        with self._installation.reading() as cursor:
            event = estimated(cursor, number, forecast, by)
        try:
            self._installation.log.append([event.stored()])
        except Conflict:
            return  # Somebody else did the same at this moment.
