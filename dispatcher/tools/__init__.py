"""Tools that an LLM may call: schemas, device tools and MCP servers."""
