package dev.gossamer.kit;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.opentelemetry.api.trace.SpanContext;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.SimpleFormatter;

/**
 * One JSON object a line on standard error, with the same keys in every language; inside a call
 * with its trace's id. What libraries log goes the same way, from warnings on.
 */
public final class Log {
  private static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create();

  private final String service;
  private final String instance;
  private final PrintStream out;

  Log(String service, String instance, PrintStream out) {
    this.service = service;
    this.instance = instance;
    this.out = out;
  }

  /** Logs what happened; {@code more} is keys and values by turns. */
  public void info(String message, Object... more) {
    write("info", message, more);
  }

  /** Logs what somebody should look at some time. */
  public void warn(String message, Object... more) {
    write("warn", message, more);
  }

  /** Logs what somebody should look at now. */
  public void error(String message, Object... more) {
    write("error", message, more);
  }

  /** Has what libraries log written here. */
  void takeOver() {
    LogManager.getLogManager().reset();
    var root = LogManager.getLogManager().getLogger("");
    root.setLevel(Level.WARNING);
    root.addHandler(new Libraries());
  }

  static String stack(Throwable thrown) {
    var text = new StringWriter();
    thrown.printStackTrace(new PrintWriter(text));
    return text.toString();
  }

  private void write(String level, String message, Object... more) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("time", Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
    line.put("level", level);
    line.put("service", service);
    line.put("instance", instance);
    line.put("message", message);
    SpanContext span = Trace.current();
    if (span.isValid()) {
      line.put("trace_id", span.getTraceId());
      line.put("span_id", span.getSpanId());
    }
    for (var i = 0; i + 1 < more.length; i += 2) {
      line.put(String.valueOf(more[i]), more[i + 1]);
    }
    out.println(JSON.toJson(line)); // one call: lines of several threads don't mix
  }

  private final class Libraries extends Handler {
    private final SimpleFormatter formatter = new SimpleFormatter();

    @Override
    public void publish(LogRecord record) {
      if (record.getLevel().intValue() < Level.WARNING.intValue()) {
        return;
      }
      var error = record.getLevel().intValue() >= Level.SEVERE.intValue();
      var message = formatter.formatMessage(record);
      if (record.getThrown() == null) {
        write(error ? "error" : "warn", message, "logger", record.getLoggerName());
      } else {
        var stack = stack(record.getThrown());
        write(error ? "error" : "warn", message, "logger", record.getLoggerName(), "stack", stack);
      }
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }
}
