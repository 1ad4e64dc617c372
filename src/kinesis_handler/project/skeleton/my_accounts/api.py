"""What Lambda starts for the API: `my_accounts.api.handler`. It answers /accounts/CUSTOMER[/ACCOUNT]."""

from kinesis_handler import configure_logging
from kinesis_handler.json_api import JsonApi

from my_accounts.application import application

configure_logging()
built = application()
built.check()
handler = JsonApi(built.views).on_lambda
