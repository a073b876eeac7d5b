package dev.gossamer.inventory;

import java.util.List;
import java.util.Map;

/** What a caller asked for, and the inventory does not do. */
abstract sealed class Refusal extends Exception {
  private static final long serialVersionUID = 1;

  private Refusal(String message) {
    super(message);
  }

  /** Nobody ever brought in pieces of these products. */
  static final class UnknownProducts extends Refusal {
    private static final long serialVersionUID = 1;
    final transient List<String> productIds;

    UnknownProducts(List<String> productIds) {
      super("the inventory has no product " + String.join(", ", productIds));
      this.productIds = productIds;
    }
  }

  /** There are too few pieces: how many are available of each product that is short. */
  static final class OutOfStock extends Refusal {
    private static final long serialVersionUID = 1;
    final transient Map<String, Integer> available;

    OutOfStock(Map<String, Integer> available) {
      super("there are too few pieces of " + String.join(", ", available.keySet()));
      this.available = available;
    }
  }

  /** There is no reservation of that id. */
  static final class UnknownReservation extends Refusal {
    private static final long serialVersionUID = 1;

    UnknownReservation() {
      super("there is no reservation of that id");
    }
  }

  /** The reservation's state is final, and another one than was asked for. */
  static final class Ended extends Refusal {
    private static final long serialVersionUID = 1;

    Ended(Reservation.State state) {
      super("the reservation is " + state + ", which is final");
    }
  }

  /** The request's id belongs to a request with other content. */
  static final class RequestIdReused extends Refusal {
    private static final long serialVersionUID = 1;

    RequestIdReused() {
      super("request_id belongs to a request with other content: make a new one");
    }
  }
}
