"""The peer in memory as a Lambda function, without boto3: for its memory."""

from benchmarks.powertools_peer import PowertoolsPeer

handler = PowertoolsPeer()
