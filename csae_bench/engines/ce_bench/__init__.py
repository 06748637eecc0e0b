"""CE-Bench's scores on minimal pairs and paraphrases: pairs of texts, and fields of results."""
