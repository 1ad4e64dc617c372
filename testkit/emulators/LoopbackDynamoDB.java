import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import java.io.PrintStream;
import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * DynamoDB Local on 127.0.0.1 alone: by itself it listens on every address, and has no option for that.
 *
 * <p>Takes a port, 0 for one that is free. Once it answers there, it says so on standard output: the number of
 * the port, and nothing else ever. It ends with its standard input, and so with whoever started it.
 */
final class LoopbackDynamoDB {
    private LoopbackDynamoDB() {}

    public static void main(String[] arguments) {
        PrintStream answer = System.out;
        System.setOut(System.err);
        int status = 0;
        try {
            answer.println(start(Integer.parseInt(arguments[0])));
            while (System.in.read() != -1) {}
        } catch (Exception error) {
            System.err.println(error);
            status = 1;
        }
        // The server's threads would keep the process alive, and what it holds in memory is to be lost.
        Runtime.getRuntime().halt(status);
    }

    private static int start(int port) throws Exception {
        DynamoDBProxyServer dynamodb =
                ServerRunner.createServerFromCommandLineArgs(new String[] {"-inMemory", "-sharedDb"});
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        Connector[] connectors = ((Server) field.get(dynamodb)).getConnectors();
        for (Connector connector : connectors) {
            ((ServerConnector) connector).setHost("127.0.0.1");
            ((ServerConnector) connector).setPort(port);
        }
        dynamodb.safeStart(); // start() would keep an error to itself
        return ((ServerConnector) connectors[0]).getLocalPort();
    }
}
