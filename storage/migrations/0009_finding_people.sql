-- People of one status on one list, and the few who are not enabled, found without looking at all others.

CREATE INDEX subscriptions_status ON subscriptions (list, status, recipient);

CREATE INDEX recipients_not_enabled ON recipients (status, number) WHERE status <> 'enabled';
