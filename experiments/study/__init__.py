"""The study of the contrastive objective; docs/study.md has its protocol and its results."""
