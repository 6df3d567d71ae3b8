"""Whom alerts are told: the log, webhooks, Alertmanager, Slack, PagerDuty."""
