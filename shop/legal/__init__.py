"""Terms, privacy, refunds and contact: pages whose texts are the operator's own files."""
