"""Answers to queries, and pictures: from what the topics and the ledger say. Changes nothing."""

from services.notifier.answering.answer import answer as answer
from services.notifier.answering.pictures import drawn as drawn
from services.notifier.answering.sources import Sources as Sources
from services.notifier.answering.views import Views as Views
