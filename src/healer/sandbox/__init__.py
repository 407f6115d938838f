"""Decoding images in sandboxed processes, which may hang, swell or die without harm."""
