"""Starts the node, configures it and activates it.

ros2 launch das3_segmentation segmentation.launch.py model:=network.onnx image:=/camera/image_raw
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, RegisterEventHandler
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition


def generate_launch_description() -> LaunchDescription:
    share = Path(get_package_share_directory("das3_segmentation"))
    node = LifecycleNode(
        package="das3_segmentation",
        executable="segmentation_node",
        name="das3_segmentation",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            LaunchConfiguration("parameters"),
            {"model": LaunchConfiguration("model")},
        ],
        remappings=[("~/image", LaunchConfiguration("image"))],
        output="screen",
    )

    def change(transition: int) -> EmitEvent:
        return EmitEvent(
            event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)
        )

    # Not after a deactivation, which leads to inactive too.
    activate = RegisterEventHandler(
        OnStateTransition(
            target_lifecycle_node=node,
            start_state="configuring",
            goal_state="inactive",
            entities=[change(Transition.TRANSITION_ACTIVATE)],
        )
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("model", description="path of the ONNX file of the network"),
            DeclareLaunchArgument("image", default_value="/camera/image_raw"),
            DeclareLaunchArgument("namespace", default_value=""),
            DeclareLaunchArgument(
                "parameters", default_value=str(share / "config" / "segmentation.yaml")
            ),
            activate,
            node,
            change(Transition.TRANSITION_CONFIGURE),
        ]
    )
