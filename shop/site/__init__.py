"""What knows all public pages: legal texts, which are the operator's own files, and what search engines are told."""
