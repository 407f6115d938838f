from healer.cli import app

app()
