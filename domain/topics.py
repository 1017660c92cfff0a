"""Every event there is. Whoever decodes the log imports this module: a topic is known only once the
module of its class has been imported."""

from __future__ import annotations

from domain.accounts.accounts import (
    KeyCreated,
    KeyRevoked,
    SecondFactorsRequired,
    UserAdded,
    UserDisabled,
    UserEmailChanged,
    UserEnabled,
    UserLinked,
    UserPasswordChanged,
    UserRoleChanged,
    UserSecondFactorRemoved,
    UserSecondFactorSet,
)
from domain.campaign.audience import RecipientsQueued
from domain.campaign.estimate import Estimated
from domain.campaign.events import EVENT_CLASSES as CAMPAIGN_CLASSES
from domain.campaign.template import Template
from domain.campaign.test_send import SendTestEnded, SendTestStarted
from domain.capacity.capacity import Reserved, Returned
from domain.delivery.delivery import FACTS as DELIVERY_FACTS
from domain.people.people import EVENT_CLASSES as PEOPLE_CLASSES
from domain.policy import PolicyChanged
from domain.server.server import SmtpServer

EVENT_CLASSES: tuple[type, ...] = (
    *CAMPAIGN_CLASSES,
    Estimated,
    SendTestStarted,
    SendTestEnded,
    RecipientsQueued,
    *DELIVERY_FACTS,
    SmtpServer.Created,
    SmtpServer.Changed,
    SmtpServer.Enabled,
    SmtpServer.Disabled,
    SmtpServer.Suspended,
    SmtpServer.Resumed,
    SmtpServer.PasswordChanged,
    Reserved,
    Returned,
    PolicyChanged,
    UserAdded,
    UserRoleChanged,
    UserPasswordChanged,
    UserSecondFactorSet,
    UserSecondFactorRemoved,
    SecondFactorsRequired,
    UserDisabled,
    UserEnabled,
    UserEmailChanged,
    UserLinked,
    KeyCreated,
    KeyRevoked,
    *PEOPLE_CLASSES,
    Template.Created,
    Template.Edited,
    Template.MadeDefault,
    Template.Deleted,
)
