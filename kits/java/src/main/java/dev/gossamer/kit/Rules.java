package dev.gossamer.kit;

import com.google.protobuf.Duration;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import gossamer.mesh.v1.Traffic.CallRule;
import gossamer.mesh.v1.Traffic.Comparison;
import gossamer.mesh.v1.Traffic.HeaderMatch;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * What is done to the calls of one service, by path and metadata. The first rule that a call
 * matches is taken.
 */
final class Rules {
  /**
   * What is done to some calls.
   *
   * @param timeout nanoseconds that a call may take, all attempts together; 0: nobody says
   * @param attemptTimeout nanoseconds that one attempt of a unary call may take; 0: nobody says
   * @param retries how often a unary call is tried again at most
   * @param statuses after which it is
   */
  record Rule(long timeout, long attemptTimeout, int retries, Set<Status.Code> statuses) {
    static final Rule NOTHING = new Rule(0, 0, 0, EnumSet.noneOf(Status.Code.class));

    boolean isOneAttempt() {
      return retries == 0 && attemptTimeout == 0;
    }
  }

  private record Condition(Predicate<String> path, List<Predicate<Metadata>> headers, Rule rule) {}

  /** As many paths are remembered; a service has no more methods. */
  private static final int KNOWN_PATHS = 1000;

  private final List<Condition> all = new ArrayList<>();
  private final Map<String, List<Condition>> ofPath = new ConcurrentHashMap<>();

  /**
   * Reads what was said.
   *
   * @param carriesRetries whether calls are tried again here; otherwise gRPC does it
   * @throws IllegalArgumentException for what no call could be compared with
   */
  Rules(List<CallRule> said, boolean carriesRetries) {
    for (var one : said) {
      var match = one.getMatch();
      var headers = match.getHeadersList().stream().map(Rules::header).toList();
      all.add(
          new Condition(
              comparing(match.getPathComparison(), match.getPath()),
              headers,
              rule(one, carriesRetries)));
    }
  }

  boolean isEmpty() {
    return all.isEmpty();
  }

  Rule find(String path, Metadata metadata) {
    for (var one : thatCanMatch(path)) {
      if (one.headers.stream().allMatch(header -> header.test(metadata))) {
        return one.rule;
      }
    }
    return Rule.NOTHING;
  }

  private List<Condition> thatCanMatch(String path) {
    var known = ofPath.get(path);
    if (known == null) {
      known = all.stream().filter(one -> one.path.test(path)).toList();
      if (ofPath.size() < KNOWN_PATHS) {
        ofPath.put(path, known);
      }
    }
    return known;
  }

  private static Rule rule(CallRule said, boolean carriesRetries) {
    var timeout = nanos(said.getTimeout());
    if (!carriesRetries) {
      return new Rule(timeout, 0, 0, EnumSet.noneOf(Status.Code.class));
    }
    var attemptTimeout = nanos(said.getAttemptTimeout());
    var statuses = EnumSet.noneOf(Status.Code.class);
    for (var code : Status.Code.values()) {
      if (said.getRetry().getStatusesList().contains(code.name())) {
        statuses.add(code);
      }
    }
    if (attemptTimeout
        > 0) { // it may have been the attempt's time that is over, and not the call's
      statuses.add(Status.Code.DEADLINE_EXCEEDED);
    }
    return new Rule(timeout, attemptTimeout, said.getRetry().getTimes(), statuses);
  }

  private static long nanos(Duration duration) {
    return duration.getSeconds() * 1_000_000_000L + duration.getNanos();
  }

  private static Predicate<Metadata> header(HeaderMatch said) {
    var present = said.getComparison() == Comparison.COMPARISON_PRESENT;
    Predicate<String> holds =
        present ? value -> true : comparing(said.getComparison(), said.getValue());
    var read = reading(said.getName());
    var inverted = said.getInvert();
    return metadata -> {
      var value = read.apply(metadata);
      return present ? (value != null) != inverted : value != null && holds.test(value) != inverted;
    };
  }

  /** Gives what gRPC itself compares; null where there is nothing. */
  private static Function<Metadata, String> reading(String name) {
    if (name.equals("content-type")) {
      return metadata -> "application/grpc";
    }
    if (name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
      return metadata -> null;
    }
    var key = Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
    return metadata -> {
      var values = metadata.getAll(key);
      return values == null ? null : String.join(",", values);
    };
  }

  private static Predicate<String> comparing(Comparison comparison, String value) {
    return switch (comparison) {
      case COMPARISON_EXACT -> value::equals;
      case COMPARISON_PREFIX -> text -> text.startsWith(value);
      case COMPARISON_SUFFIX -> text -> text.endsWith(value);
      case COMPARISON_CONTAINS -> text -> text.contains(value);
      case COMPARISON_REGEX -> matching(value);
      default ->
          throw new IllegalArgumentException(
              "expected a comparison that this kit knows, found " + comparison);
    };
  }

  private static Predicate<String> matching(String expression) {
    try {
      var pattern = Pattern.compile(expression);
      return text -> pattern.matcher(text).matches();
    } catch (PatternSyntaxException wrong) {
      throw new IllegalArgumentException(
          "expected a regular expression of RE2, found \""
              + expression
              + "\": "
              + wrong.getMessage());
    }
  }
}
