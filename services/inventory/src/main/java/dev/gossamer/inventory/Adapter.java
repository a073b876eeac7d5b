package dev.gossamer.inventory;

import com.google.protobuf.Timestamp;
import com.google.rpc.PreconditionFailure;
import dev.gossamer.inventory.Refusal.Ended;
import dev.gossamer.inventory.Refusal.OutOfStock;
import dev.gossamer.inventory.Refusal.RequestIdReused;
import dev.gossamer.inventory.Refusal.UnknownProducts;
import dev.gossamer.inventory.Refusal.UnknownReservation;
import dev.gossamer.kit.ServiceException;
import io.grpc.Status.Code;
import io.grpc.stub.StreamObserver;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import shop.inventory.v1.Inventory.CommitRequest;
import shop.inventory.v1.Inventory.CommitResponse;
import shop.inventory.v1.Inventory.GetStockRequest;
import shop.inventory.v1.Inventory.GetStockResponse;
import shop.inventory.v1.Inventory.ReleaseRequest;
import shop.inventory.v1.Inventory.ReleaseResponse;
import shop.inventory.v1.Inventory.ReservationState;
import shop.inventory.v1.Inventory.ReserveRequest;
import shop.inventory.v1.Inventory.ReserveResponse;
import shop.inventory.v1.InventoryServiceGrpc;

/**
 * The contract over the store: one method an RPC, and no decision of its own. The kit has checked
 * the rules of the contract before.
 */
final class Adapter extends InventoryServiceGrpc.InventoryServiceImplBase {
  private static final Duration HOLD = Duration.ofMinutes(15);
  private static final int MOST_NAMED = 20; // gRPC's clients refuse more than 8 KiB of trailers

  private final Store store;

  Adapter(Store store) {
    this.store = store;
  }

  @Override
  public void getStock(GetStockRequest request, StreamObserver<GetStockResponse> answer) {
    var stock = told(() -> store.stock(request.getProductIdsList()));
    var response = GetStockResponse.newBuilder();
    for (var productId : request.getProductIdsList()) {
      var found = stock.get(productId);
      if (found == null) {
        response.addMissingIds(productId);
      } else {
        response
            .addStockBuilder()
            .setProductId(productId)
            .setAvailable(found.available())
            .setReserved(found.reserved());
      }
    }
    send(answer, response.build());
  }

  @Override
  public void reserve(ReserveRequest request, StreamObserver<ReserveResponse> answer) {
    var items =
        request.getItemsList().stream()
            .map(item -> new Item(item.getProductId(), item.getQuantity()))
            .toList();
    var asked = request.getHold();
    var hold = request.hasHold() ? Duration.ofSeconds(asked.getSeconds(), asked.getNanos()) : HOLD;
    var id = UUID.fromString(request.getRequestId());
    var reservation = told(() -> store.reserve(id, fingerprint(request), items, hold));
    send(answer, ReserveResponse.newBuilder().setReservation(message(reservation)).build());
  }

  @Override
  public void commit(CommitRequest request, StreamObserver<CommitResponse> answer) {
    var id = UUID.fromString(request.getId());
    var reservation = told(() -> store.change(id, Reservation::committed));
    send(answer, CommitResponse.newBuilder().setReservation(message(reservation)).build());
  }

  @Override
  public void release(ReleaseRequest request, StreamObserver<ReleaseResponse> answer) {
    var id = UUID.fromString(request.getId());
    var reservation = told(() -> store.change(id, Reservation::released));
    send(answer, ReleaseResponse.newBuilder().setReservation(message(reservation)).build());
  }

  @FunctionalInterface
  private interface Asked<R> {
    R get() throws Refusal, Database.Away;
  }

  /** Tells the caller what is refused, in the words of the contract. */
  private static <R> R told(Asked<R> asked) {
    try {
      return asked.get();
    } catch (Database.Away away) {
      throw new ServiceException(
          Code.UNAVAILABLE, "STORE_UNAVAILABLE", "stock can't be read or written now: try again");
    } catch (Refusal refusal) {
      throw refused(refusal);
    }
  }

  private static ServiceException refused(Refusal refusal) {
    var message = refusal.getMessage();
    if (refusal instanceof UnknownProducts unknown) {
      var named = unknown.productIds.stream().limit(MOST_NAMED).toList();
      return new ServiceException(
              Code.NOT_FOUND,
              "PRODUCT_NOT_FOUND",
              "the inventory does not have " + unknown.productIds.size() + " of the products")
          .with(Map.of("product_ids", String.join(",", named)));
    }
    if (refusal instanceof OutOfStock out) {
      return outOfStock(out);
    }
    if (refusal instanceof UnknownReservation) {
      return new ServiceException(Code.NOT_FOUND, "RESERVATION_NOT_FOUND", message);
    }
    if (refusal instanceof Ended) {
      return new ServiceException(Code.FAILED_PRECONDITION, "RESERVATION_ENDED", message);
    }
    if (refusal instanceof RequestIdReused) {
      return new ServiceException(Code.ALREADY_EXISTS, "REQUEST_ID_REUSED", message);
    }
    throw new IllegalArgumentException(refusal); // the compiler knows of no other, from Java 21 on
  }

  private static ServiceException outOfStock(OutOfStock out) {
    var failure = PreconditionFailure.newBuilder();
    out.available.entrySet().stream()
        .limit(MOST_NAMED)
        .forEach(
            each ->
                failure
                    .addViolationsBuilder()
                    .setType("STOCK")
                    .setSubject(each.getKey())
                    .setDescription(each.getValue() + " available"));
    var message = "there are too few pieces of " + out.available.size() + " of the products";
    return new ServiceException(Code.FAILED_PRECONDITION, "OUT_OF_STOCK", message)
        .with(failure.build());
  }

  /** Tells requests apart that have the same id. */
  private static byte[] fingerprint(ReserveRequest request) {
    var content = new StringBuilder();
    for (var item : request.getItemsList()) {
      var productId = item.getProductId(); // its length keeps the parts apart
      content.append(productId.length()).append(':').append(productId).append(item.getQuantity());
      content.append(';');
    }
    content.append(request.hasHold() ? request.getHold().toString() : "");
    try {
      return MessageDigest.getInstance("SHA-256")
          .digest(content.toString().getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException never) { // every Java has it
      throw new IllegalStateException(never);
    }
  }

  private static shop.inventory.v1.Inventory.Reservation message(Reservation reservation) {
    var message =
        shop.inventory.v1.Inventory.Reservation.newBuilder()
            .setId(reservation.id().toString())
            .setState(ReservationState.forNumber(reservation.state().number))
            .setExpireTime(
                Timestamp.newBuilder()
                    .setSeconds(reservation.expireTime().getEpochSecond())
                    .setNanos(reservation.expireTime().getNano()));
    for (var item : reservation.items()) {
      message.addItemsBuilder().setProductId(item.productId()).setQuantity(item.quantity());
    }
    return message.build();
  }

  private static <R> void send(StreamObserver<R> answer, R response) {
    answer.onNext(response);
    answer.onCompleted();
  }
}
