"""The service under load, beside the model called directly and behind LitServe.

tiles     real tiles as forms, ready to send
client    one question, and when its answer came
loops     closed (so many clients) and open (so many arrivals a second)
process   a server started for this, its memory and processor time
direct    the same model on the same tiles without a service: the yardstick
lit       the same model behind LitServe
measure   a load put on a server
report    table, JSON, chart
beside    the service and the model called directly, in turn
sweep     batches, workers and replicas
"""
