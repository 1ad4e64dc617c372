"""DynamoDB Local, and the settings by which the AWS SDK reaches nothing else: a script finds both here."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # a script finds only what lies beside it

from emulators.dynamodb_local import dynamodb_local
from emulators.local_settings import SETTINGS, use_local_settings

__all__ = ["SETTINGS", "dynamodb_local", "use_local_settings"]
