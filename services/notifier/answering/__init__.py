"""Answers to queries, and pictures: from what the topics and the ledger say. Changes nothing."""

from services.following.sources import Sources as Sources
from services.following.views import Views as Views
from services.notifier.answering.answer import answer as answer
from services.notifier.answering.pictures import drawn as drawn
