"""What every answer, page and document says, once."""

NOTICE = "Research use only: Healer is not a medical device and must not guide diagnosis or care."
