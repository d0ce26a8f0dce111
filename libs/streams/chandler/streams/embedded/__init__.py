"""The embedded Kafka: a real Apache Kafka, one node, started by whoever needs it first.

`ensure_running` starts or repairs it, `lease` keeps it up for as long as someone works with it.
"""

from chandler.streams.embedded.broker import Status as Status
from chandler.streams.embedded.errors import EmbeddedKafkaError as EmbeddedKafkaError
from chandler.streams.embedded.lifecycle import alive as alive
from chandler.streams.embedded.lifecycle import ensure_running as ensure_running
from chandler.streams.embedded.lifecycle import install as install
from chandler.streams.embedded.lifecycle import keep_running as keep_running
from chandler.streams.embedded.lifecycle import lease as lease
from chandler.streams.embedded.lifecycle import status as status
from chandler.streams.embedded.lifecycle import stop as stop
from chandler.streams.embedded.lifecycle import users as users
