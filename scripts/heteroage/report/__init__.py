"""What a run says of itself: summary, model card, page."""
