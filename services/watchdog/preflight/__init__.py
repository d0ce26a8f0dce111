"""What is looked at before anything starts: `look` gives a finding for each thing."""

from services.watchdog.preflight.findings import Finding as Finding
from services.watchdog.preflight.findings import status_of as status_of
from services.watchdog.preflight.looking import look as look
